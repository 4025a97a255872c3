//! The event stream.

use crate::dto::events::StreamEvent;
use crate::error::{ApiError, ErrorBody};
use crate::events::{Rendered, TooOld};
use crate::extract::{Parameters, bad_parameter};
use crate::{ApiState, Cursor, ErrorCode, EventLog};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use serde::Deserialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::IntoParams;

/// Events taken from the ring at once.
const TAKE_MAX: usize = 64;
/// How long a browser waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventParameters {
    /// Begin after this event: the `id` of the last one seen, `height.index`. Without it, begin now. The header
    /// `Last-Event-ID`, which browsers send when they connect again, goes before it.
    #[param(example = "17.0")]
    cursor: Option<String>,
}

/// What happens on the chain, as server-sent events
///
/// The first event, `ready`, has the cursor the stream begins after as its id. Then come `block`, `access`,
/// `record_added`, `granted`, `revoked`, `penalised` and `lifted`. The stream ends with `dropped` if the reader is
/// too slow, and with `closing` if the node stops; both have an ErrorBody as their data.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    operation_id = "subscribe",
    params(EventParameters),
    responses(
        (status = 200, description = "The stream; the data of an event is a StreamEvent", body = StreamEvent, content_type = "text/event-stream"),
        (status = 410, description = "cursor_too_old: read the blocks since then, and begin again from now", body = ErrorBody),
        (status = 503, description = "too_many_subscribers", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn subscribe(
    State(state): State<ApiState>,
    Parameters(parameters): Parameters<EventParameters>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    let permit = Arc::clone(state.subscribers()).try_acquire_owned().map_err(|_| {
        ApiError::new(
            ErrorCode::TooManySubscribers,
            "the event stream has as many subscribers as it may have",
            "ask another member's node, or follow GET /v1/blocks",
        )
    })?;
    let resumed = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let cursor = match resumed.or(parameters.cursor.as_deref()) {
        Some(text) => text
            .parse::<Cursor>()
            .map_err(|error| bad_parameter(error.to_string()))?,
        None => state.events().latest(),
    };
    state.events().after(cursor, 0).map_err(too_old)?;
    let subscription = Subscription {
        log: state.events().clone(),
        published: state.events().watch(),
        stopping: state.stopping(),
        cursor,
        taken: VecDeque::new(),
        phase: Phase::Greeting,
        _permit: permit,
    };
    let keep_alive = KeepAlive::new().interval(state.limits().keep_alive);
    Ok(Sse::new(subscription.into_stream()).keep_alive(keep_alive))
}

/// A reader's place in the log.
struct Subscription {
    log: EventLog,
    published: watch::Receiver<Cursor>,
    stopping: watch::Receiver<bool>,
    cursor: Cursor,
    taken: VecDeque<Arc<Rendered>>,
    phase: Phase,
    _permit: OwnedSemaphorePermit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Greeting,
    Reading,
    Ended,
}

impl Subscription {
    fn into_stream(self) -> impl Stream<Item = Result<Event, Infallible>> + Send {
        futures::stream::unfold(self, |mut subscription| async move {
            let event = subscription.next().await?;
            Some((Ok(event), subscription))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        match self.phase {
            Phase::Greeting => {
                self.phase = Phase::Reading;
                let greeting = Event::default().event("ready").retry(RETRY);
                Some(greeting.id(self.cursor.to_string()).data("{}"))
            }
            Phase::Reading => Some(self.read().await),
            Phase::Ended => None,
        }
    }

    async fn read(&mut self) -> Event {
        loop {
            if let Some(event) = self.taken.pop_front() {
                self.cursor = event.cursor;
                return Event::default()
                    .id(event.cursor.to_string())
                    .event(event.kind)
                    .data(&event.json);
            }
            if *self.stopping.borrow() {
                return self.end("closing", &ApiError::stopping());
            }
            // Marked as seen before the ring is read: what is published in between wakes the wait below.
            self.published.mark_unchanged();
            match self.log.after(self.cursor, TAKE_MAX) {
                Ok(events) if events.is_empty() => {
                    let alive = tokio::select! {
                        changed = self.published.changed() => changed.is_ok(),
                        changed = self.stopping.changed() => changed.is_ok(),
                    };
                    if !alive {
                        return self.end("closing", &ApiError::stopping());
                    }
                }
                Ok(events) => self.taken.extend(events),
                Err(error) => return self.end("dropped", &too_old(error)),
            }
        }
    }

    /// The last event: it has no id, so that a browser that connects again resumes where it was.
    fn end(&mut self, kind: &str, error: &ApiError) -> Event {
        self.phase = Phase::Ended;
        let json = serde_json::to_string(error.body()).unwrap_or_default();
        Event::default().event(kind).data(json)
    }
}

fn too_old(TooOld { oldest }: TooOld) -> ApiError {
    ApiError::new(
        ErrorCode::CursorTooOld,
        "the events after this cursor are no longer held",
        format!(
            "read the blocks since then with GET /v1/blocks, then begin again; the oldest cursor held is {oldest}"
        ),
    )
}
