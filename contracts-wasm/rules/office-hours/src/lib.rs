//! A rule: records are read during office hours, unless the glass is broken.
//!
//! A hospital deploys it with its own hours and registers it with the access contract for its own people. It never
//! refuses emergencies, nor patients who read their own records.
#![cfg_attr(target_arch = "wasm32", no_std)]

use salus_sdk::prelude::*;

const MINUTE_MS: u64 = 60_000;
const DAY_MINUTES: u64 = 24 * 60;
/// No place on earth is further from UTC.
const OFFSET_MAX: u16 = 14 * 60;

/// Records are read during office hours, unless the glass is broken.
#[contract(state_version = 1, reasons = Reason::TABLE)]
pub struct OfficeHours {
    /// When the office is open. Set once, when the contract is instantiated.
    #[at(b'h')]
    hours: Item<Hours>,
}

/// Why the rule refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Codes)]
pub enum Reason {
    /// Outside office hours.
    OutsideHours = 256,
}

/// When an office is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Schema)]
pub struct Hours {
    /// First open minute of the day, local time, 0..1440.
    pub opens: u16,
    /// First closed minute of the day, local time, up to 1440; after `opens`.
    pub closes: u16,
    /// Open days: bit 0 is Monday, bit 6 is Sunday.
    pub days: u8,
    /// Local time minus UTC, in minutes, -840..=840. No daylight saving: block time knows no places.
    pub offset: i16,
}

#[contract_impl]
impl OfficeHours {
    /// Sets the hours; they must make sense.
    #[instantiate]
    pub fn instantiate(&self, cx: &mut Ctx, hours: Hours) -> Result<(), Abort> {
        if !hours.is_valid() {
            return Err(Abort::BAD_INPUT);
        }
        self.hours.set(cx, &hours);
        Ok(())
    }

    /// The hours.
    #[query]
    pub fn hours(&self, cx: &Ctx) -> Result<Option<Hours>, Abort> {
        Ok(self.hours.get(cx))
    }

    /// Refuses outside the hours, but neither emergencies nor patients who read their own records.
    #[decide]
    pub fn decide(&self, cx: &Ctx, request: AccessRequest) -> RuleDecision {
        let exempt = request.emergency || request.requester == request.patient;
        let open = |hours: Hours| hours.covers(cx.time_ms());
        if exempt || self.hours.get(cx).is_some_and(open) {
            abstain()
        } else {
            deny(Reason::OutsideHours)
        }
    }
}

impl Hours {
    /// Whether the numbers make sense.
    pub fn is_valid(&self) -> bool {
        self.opens < self.closes
            && u64::from(self.closes) <= DAY_MINUTES
            && self.days < 1 << 7
            && self.offset.unsigned_abs() <= OFFSET_MAX
    }

    /// Whether the office is open at a block time, in milliseconds since 1970-01-01T00:00:00Z, a Thursday.
    pub fn covers(&self, time_ms: u64) -> bool {
        let utc = time_ms / MINUTE_MS;
        let local = utc.saturating_add_signed(i64::from(self.offset));
        let day = (local / DAY_MINUTES).saturating_add(3) % 7;
        let minute = local % DAY_MINUTES;
        let open = u64::from(self.opens)..u64::from(self.closes);
        self.days & 1 << day != 0 && open.contains(&minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-05T00:00:00Z, a Monday.
    const MONDAY: u64 = 1_767_571_200_000;
    const HOUR: u64 = 60 * MINUTE_MS;

    const WEEKDAYS: Hours = Hours {
        opens: 8 * 60,
        closes: 18 * 60,
        days: 0b001_1111,
        offset: 0,
    };

    #[test]
    fn an_office_is_open_from_the_first_minute_to_before_the_last() {
        for (hours, minutes, open) in [(7, 59, false), (8, 0, true), (17, 59, true), (18, 0, false)] {
            let time = MONDAY + hours * HOUR + minutes * MINUTE_MS;
            assert_eq!(WEEKDAYS.covers(time), open, "{hours}:{minutes}");
        }
        let friday = MONDAY + 4 * 24 * HOUR + 12 * HOUR;
        assert!(WEEKDAYS.covers(friday));
        assert!(!WEEKDAYS.covers(friday + 24 * HOUR), "Saturday");
        assert!(!WEEKDAYS.covers(friday + 48 * HOUR), "Sunday");
    }

    #[test]
    fn hours_are_local() {
        let hanoi = Hours {
            offset: 7 * 60,
            ..WEEKDAYS
        };
        assert!(hanoi.covers(MONDAY + HOUR), "08:00 there");
        assert!(!hanoi.covers(MONDAY + 11 * HOUR), "18:00 there");
        let new_york = Hours {
            offset: -5 * 60,
            ..WEEKDAYS
        };
        assert!(!new_york.covers(MONDAY + 2 * HOUR), "Sunday evening there");
        assert!(new_york.covers(MONDAY + 13 * HOUR));
    }

    #[test]
    fn senseless_hours_are_refused() {
        assert!(WEEKDAYS.is_valid());
        assert!(
            !Hours {
                closes: 8 * 60,
                ..WEEKDAYS
            }
            .is_valid()
        );
        assert!(
            !Hours {
                closes: 1441,
                ..WEEKDAYS
            }
            .is_valid()
        );
        assert!(
            !Hours {
                days: 0x80,
                ..WEEKDAYS
            }
            .is_valid()
        );
        assert!(
            !Hours {
                offset: i16::MIN,
                ..WEEKDAYS
            }
            .is_valid()
        );
    }
}
