//! Sending: a closed loop at full load, fixed times at light load.

use super::crowd::{Crowd, Signed};
use super::watch::{Seen, Stream};
use super::{BenchError, Moment, Settings};
use futures::future::try_join_all;
use salus_tests::Network;
use salus_types::abi::access::Decision;
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

/// Transactions of a batch, at most: what the interface takes.
pub(super) const BATCH_MAX: usize = 256;
/// How long a lane waits for more room after it learnt of some, so that batches are not tiny.
const GATHER_TIME: Duration = Duration::from_millis(5);
/// How long to wait before what a validator had no room for is sent again.
const RETRY_TIME: Duration = Duration::from_millis(20);
/// How often that is done before the run is void.
const RETRIES_MAX: usize = 100;
/// How long nothing may be committed before the run is void.
const STALL: Duration = Duration::from_secs(15);

/// What full load gave.
pub(super) struct Full {
    /// The last block before the window, and the last one within it.
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) before: Moment,
    pub(super) after: Moment,
    pub(super) took: Duration,
    /// Of every transaction that was seen within the window.
    pub(super) latencies: Vec<Duration>,
    /// Transactions of each doctor in the whole run.
    pub(super) sent: Vec<usize>,
    pub(super) signed_before: usize,
    pub(super) signed_during: usize,
}

/// What the lanes and the watch share.
struct Board {
    state: Mutex<State>,
    /// Told when there is room in a doctor's window, one for each lane.
    room: Vec<Notify>,
}

#[derive(Default)]
struct State {
    doctors: Vec<Progress>,
    by_principal: BTreeMap<u32, usize>,
    latencies: Vec<Duration>,
    recording: bool,
    height: u64,
    denied: usize,
    /// Events of doctors that had nothing under way: they would make every latency wrong.
    unexpected: usize,
    signed_during: usize,
    stopping: bool,
}

#[derive(Default)]
struct Progress {
    validator: usize,
    ready: Signed,
    sent: usize,
    /// When those under way were sent, in order.
    under_way: VecDeque<Instant>,
}

impl Board {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Up to a batch of what one validator's doctors may send now, in turn; it counts as sent.
    fn take(&self, lane: usize, crowd: &Crowd, window: usize, expires: u64) -> Vec<String> {
        let mut state = self.state();
        if state.stopping {
            return Vec::new();
        }
        let (now, mut signed_during) = (Instant::now(), 0);
        let mut batch = Vec::new();
        for (progress, doctor) in state.doctors.iter_mut().zip(&crowd.doctors) {
            while progress.validator == lane && progress.under_way.len() < window && batch.len() < BATCH_MAX {
                let next = progress.ready.pop_front().unwrap_or_else(|| {
                    signed_during += 1;
                    doctor.request_text(crowd, progress.sent, expires)
                });
                batch.push(next);
                progress.sent += 1;
                progress.under_way.push_back(now);
            }
        }
        state.signed_during += signed_during;
        batch
    }

    fn see(&self, seen: Seen) {
        let now = Instant::now();
        let mut state = self.state();
        match seen {
            Seen::Block { height } => {
                state.height = height;
            }
            Seen::Access { requester, permitted } => {
                let doctor = state.by_principal.get(&requester).copied();
                let sent = doctor.and_then(|doctor| state.doctors.get_mut(doctor)?.under_way.pop_front());
                let Some(sent) = sent else {
                    state.unexpected += 1;
                    return;
                };
                let lane = doctor
                    .and_then(|doctor| state.doctors.get(doctor))
                    .map(|progress| progress.validator);
                lane.and_then(|lane| self.room.get(lane))
                    .inspect(|room| room.notify_one());
                state.denied += usize::from(!permitted);
                if state.recording {
                    state.latencies.push(now - sent);
                }
            }
        }
    }

    /// Ends sending; waits until all that is under way is committed.
    async fn drain(&self) -> Result<(), BenchError> {
        self.state().stopping = true;
        let drained = async {
            while self
                .state()
                .doctors
                .iter()
                .any(|progress| !progress.under_way.is_empty())
            {
                sleep(Duration::from_millis(50)).await;
            }
        };
        let late = |_| {
            BenchError::Void(format!(
                "transactions still under way {} s after the last one",
                STALL.as_secs()
            ))
        };
        timeout(STALL, drained).await.map_err(late)
    }
}

/// Full load for as long as the settings say.
pub(super) async fn full(
    network: &Network,
    crowd: &Crowd,
    signed: Vec<Signed>,
    expires: u64,
    settings: &Settings,
) -> Result<Full, BenchError> {
    let signed_before = signed.iter().map(VecDeque::len).sum();
    let by_principal = crowd
        .doctors
        .iter()
        .map(|doctor| doctor.signer.principal().get())
        .zip(0..)
        .collect();
    let progress = |(doctor, ready): (&super::crowd::Doctor, Signed)| Progress {
        validator: doctor.validator,
        ready,
        ..Progress::default()
    };
    let doctors = crowd.doctors.iter().zip(signed).map(progress).collect();
    let board = Board {
        state: Mutex::new(State {
            doctors,
            by_principal,
            ..State::default()
        }),
        room: (0..network.validators()).map(|_| Notify::new()).collect(),
    };
    let http = reqwest::Client::builder().tcp_nodelay(true).build()?;
    let mut stream = Stream::open(&http, network.remote(0)?.base()).await?;
    let watching = async {
        loop {
            let late = |_| BenchError::Void(format!("nothing was committed for {} s", STALL.as_secs()));
            let seen = timeout(STALL, stream.next(|event| board.see(event))).await;
            if let Err(error) = seen.map_err(late).and_then(|seen| seen) {
                return error;
            }
        }
    };
    let window = settings.in_flight.div_ceil(crowd.doctors.len().max(1)).max(1);
    let lanes = (0..network.validators()).map(|lane| {
        let base = network.remote(lane).map(|remote| remote.base().to_owned());
        let (board, http) = (&board, &http);
        async move { send(board, http, &base?, lane, crowd, window, expires).await }
    });
    let sending = try_join_all(lanes);
    tokio::select! {
        error = watching => Err(error),
        ended = sending => match ended {
            Err(error) => Err(error),
            Ok(_) => Err(BenchError::Void("sending ended early".into())),
        },
        measured = observe(network, &board, settings) => {
            let (first, last, before, after, took) = measured?;
            let state = std::mem::take(&mut *board.state());
            if state.denied + state.unexpected > 0 {
                let State { denied, unexpected, .. } = state;
                return Err(BenchError::Void(format!("{denied} requests were denied, {unexpected} came from nowhere")));
            }
            Ok(Full {
                first,
                last,
                before,
                after,
                took,
                latencies: state.latencies,
                sent: state.doctors.iter().map(|doctor| doctor.sent).collect(),
                signed_before,
                signed_during: state.signed_during,
            })
        }
    }
}

/// Warms up, opens the window, closes it, and drains.
async fn observe(
    network: &Network,
    board: &Board,
    settings: &Settings,
) -> Result<(u64, u64, Moment, Moment, Duration), BenchError> {
    sleep(settings.warm_up).await;
    let (before, opened) = (Moment::read(network)?, Instant::now());
    let first = {
        let mut state = board.state();
        state.recording = true;
        state.height
    };
    sleep(settings.window).await;
    let last = {
        let mut state = board.state();
        state.recording = false;
        state.height
    };
    let (after, took) = (Moment::read(network)?, opened.elapsed());
    board.drain().await?;
    Ok((first, last, before, after, took))
}

/// Sends what one validator's doctors have room for, batch after batch; never ends by itself.
async fn send(
    board: &Board,
    http: &reqwest::Client,
    base: &str,
    lane: usize,
    crowd: &Crowd,
    window: usize,
    expires: u64,
) -> Result<(), BenchError> {
    let url = format!("{base}/v1/transactions/batch");
    let chain = crowd.chain.to_string();
    let Some(room) = board.room.get(lane) else {
        return Ok(());
    };
    loop {
        let batch = board.take(lane, crowd, window, expires);
        if batch.is_empty() {
            room.notified().await;
            sleep(GATHER_TIME).await;
        } else {
            hand_in(http, &url, &chain, batch).await?;
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
    message: String,
}

/// Hands a batch in; what the validator has no room for at the moment is sent again.
async fn hand_in(
    http: &reqwest::Client,
    url: &str,
    chain: &str,
    mut batch: Vec<String>,
) -> Result<(), BenchError> {
    for _ in 0..RETRIES_MAX {
        let body = json!({ "chain_id": chain, "transactions": batch }).to_string();
        let request = http
            .post(url)
            .header("content-type", "application/json")
            .body(body);
        let response = request.send().await?;
        let status = response.status();
        let bytes = response.bytes().await?;
        if status.is_success() {
            let garbled = |error: serde_json::Error| {
                BenchError::Void(format!("a batch's answer makes no sense: {error}"))
            };
            let answer: Answer = serde_json::from_slice(&bytes).map_err(garbled)?;
            batch = refused(answer, batch)?;
            if batch.is_empty() {
                return Ok(());
            }
        } else if status != reqwest::StatusCode::SERVICE_UNAVAILABLE {
            let text = String::from_utf8_lossy(&bytes);
            return Err(BenchError::Void(format!(
                "a batch was refused with HTTP status {status}: {text}"
            )));
        }
        sleep(RETRY_TIME).await;
    }
    Err(BenchError::Void(
        "a validator had no room for a batch for too long: choose fewer transactions under way".into(),
    ))
}

/// What of a batch there was no room for.
fn refused(answer: Answer, batch: Vec<String>) -> Result<Vec<String>, BenchError> {
    if answer.results.len() != batch.len() {
        return Err(BenchError::Void(
            "a batch's answer has not one result for each transaction".into(),
        ));
    }
    let mut again = Vec::new();
    for (outcome, transaction) in answer.results.into_iter().zip(batch) {
        match outcome.error {
            None => {}
            Some(Refusal { code, .. })
                if matches!(code.as_str(), "over_quota" | "pool_full" | "busy" | "not_ready") =>
            {
                again.push(transaction);
            }
            Some(Refusal { code, message }) => {
                return Err(BenchError::Void(format!(
                    "a transaction was refused: {message} ({code})"
                )));
            }
        }
    }
    Ok(again)
}

/// Light load: one transaction at each tick, whatever became of those before it. Gives each one's time from being sent
/// until the validator it was sent to answers that it is committed.
pub(super) async fn light(
    network: &Network,
    crowd: &Crowd,
    sent: &[usize],
    expires: u64,
    settings: &Settings,
) -> Result<Vec<Duration>, BenchError> {
    let count = settings.light.as_millis() * u128::from(settings.light_rate) / 1_000;
    let mut ticks = interval(Duration::from_secs(1) / settings.light_rate.max(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut asking = JoinSet::new();
    let mut turn = crowd.doctors.iter().zip(sent).cycle();
    for number in 0..usize::try_from(count).unwrap_or(0) {
        let Some((doctor, sent)) = turn.next() else { break };
        let round = number / crowd.doctors.len().max(1);
        let transaction = doctor.request(crowd, sent + round, expires);
        let (remote, chain) = (network.remote(doctor.validator)?, crowd.chain);
        ticks.tick().await;
        asking.spawn(async move {
            let start = Instant::now();
            let committed = remote.submit_and_wait(&chain, &transaction).await?;
            let took = start.elapsed();
            let permitted = committed.receipt.is_some_and(|receipt| {
                receipt.success && matches!(receipt.output(), Ok(Decision::Permit { .. }))
            });
            if permitted {
                Ok(took)
            } else {
                Err(BenchError::Void(
                    "a request at light load was not permitted".into(),
                ))
            }
        });
    }
    let mut latencies = Vec::new();
    while let Some(answered) = asking.join_next().await {
        latencies.push(answered.map_err(|error| BenchError::Void(error.to_string()))??);
    }
    Ok(latencies)
}
