use super::*;
use futures::FutureExt;
use futures::executor::block_on;
use futures::io::Cursor;
use request_response::Codec as _;

const NAME: StreamProtocol = StreamProtocol::new("/salus/1/shares");

/// The codec of a connection.
fn codec(protocol: Protocol) -> Codec {
    Codec::new(protocol, Arc::default(), Limits::default()).clone()
}

fn ask(length: usize) -> Ask {
    Ask {
        bytes: vec![7; length].into(),
        permit: None,
    }
}

fn answer(bytes: &'static [u8]) -> Told {
    Told::Answer {
        bytes: Bytes::from_static(bytes),
        permit: None,
    }
}

fn written(told: Told) -> Vec<u8> {
    let mut io = Cursor::new(Vec::new());
    block_on(codec(Protocol::Shares).write_response(&NAME, &mut io, told)).unwrap();
    io.into_inner()
}

fn read_answer(bytes: &[u8]) -> io::Result<Told> {
    block_on(codec(Protocol::Shares).read_response(&NAME, &mut Cursor::new(bytes)))
}

#[test]
fn the_bytes_do_not_drift() {
    let mut io = Cursor::new(Vec::new());
    block_on(codec(Protocol::Shares).write_request(&NAME, &mut io, ask(2))).unwrap();
    assert_eq!(io.get_ref().as_slice(), b"\x00\x00\x00\x02\x07\x07");
    assert_eq!(written(answer(b"ok")), b"\x00\x00\x00\x00\x02ok");
    assert_eq!(written(Told::Busy), b"\x01");
}

#[test]
fn answers_are_read_back() {
    assert!(
        matches!(read_answer(b"\x00\x00\x00\x00\x02ok"), Ok(Told::Answer { bytes, .. }) if bytes == "ok")
    );
    assert!(matches!(read_answer(b"\x01"), Ok(Told::Busy)));
}

#[test]
fn each_kind_of_bad_answer_has_its_error() {
    let silence = read_answer(b"").unwrap_err();
    assert_eq!(silence.get_ref().and_then(|e| e.downcast_ref()), Some(&NoAnswer));
    assert_eq!(
        read_answer(b"\x02").unwrap_err().kind(),
        io::ErrorKind::InvalidData
    );
    assert_eq!(
        read_answer(b"\x00\x00\x00\x00\x02o").unwrap_err().kind(),
        io::ErrorKind::UnexpectedEof
    );
    let long = read_answer(b"\x00\xff\xff\xff\xff").unwrap_err();
    let limit = Protocol::Shares.answer_length_max();
    assert_eq!(
        FrameTooLong::within(&long),
        Some(FrameTooLong {
            length: 0xffff_ffff,
            limit
        })
    );
}

#[test]
fn a_question_over_the_limit_is_refused_by_writer_and_reader() {
    let limit = Protocol::Shares.request_length_max();
    let expected = FrameTooLong {
        length: limit + 1,
        limit,
    };
    let mut codec = codec(Protocol::Shares);
    let mut io = Cursor::new(Vec::new());
    let error = block_on(codec.write_request(&NAME, &mut io, ask(limit + 1))).unwrap_err();
    assert_eq!(FrameTooLong::within(&error), Some(expected));

    let length = u32::try_from(limit + 1).unwrap().to_be_bytes();
    let error = block_on(codec.read_request(&NAME, &mut Cursor::new(length))).unwrap_err();
    assert_eq!(FrameTooLong::within(&error), Some(expected));
    assert_eq!(codec.counters.snapshot(0).violations, 1);
}

#[test]
fn questions_beyond_the_connections_allowance_stay_unread() {
    let limits = Limits {
        request_bytes_max: 0, // raised to one full question
        ..Limits::default()
    };
    let node = Codec::new(Protocol::Shares, Arc::default(), limits);
    let (connection, other_connection) = (node.clone(), node.clone());
    let question = [[0, 0, 16, 0].as_slice(), &[7; 4_096]].concat();

    let mut stream = connection.clone();
    let first = block_on(stream.read_request(&NAME, &mut Cursor::new(&question))).unwrap();
    let mut next = connection.clone();
    let mut io = Cursor::new(&question);
    assert!(next.read_request(&NAME, &mut io).now_or_never().is_none());
    assert_eq!(io.position(), 4, "the length was read, the bytes were not");

    let mut other = other_connection.clone();
    assert!(
        other
            .read_request(&NAME, &mut Cursor::new(&question))
            .now_or_never()
            .is_some()
    );
    drop(first);
    let mut io = Cursor::new(&question);
    assert!(next.read_request(&NAME, &mut io).now_or_never().is_some());
}
