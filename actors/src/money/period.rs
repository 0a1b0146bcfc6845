//! The calendar periods that budgets count in (B6).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// How long a budget counts before it begins anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BudgetPeriod {
    /// It never begins anew.
    Total,
    /// A calendar day.
    Day,
    /// A week, from Monday (ISO 8601).
    Week,
    /// A calendar month.
    #[default]
    Month,
}

/// A text that is no [`BudgetPeriod`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be total, day, week or month")]
pub struct UnknownPeriod;

impl FromStr for BudgetPeriod {
    type Err = UnknownPeriod;

    fn from_str(text: &str) -> Result<Self, UnknownPeriod> {
        let periods = [Self::Total, Self::Day, Self::Week, Self::Month];
        periods.into_iter().find(|period| period.as_str() == text).ok_or(UnknownPeriod)
    }
}

impl BudgetPeriod {
    /// The word that tables and the admin API use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The adjective of an error message: `Monthly budget limit $500 exceeded`.
    pub fn adjective(self) -> &'static str {
        match self {
            Self::Total => "Total",
            Self::Day => "Daily",
            Self::Week => "Weekly",
            Self::Month => "Monthly",
        }
    }

    /// The stretch of time that `now` falls into, by the calendar of a time zone.
    pub fn at(self, now: DateTime<Utc>, zone: Tz) -> PeriodWindow {
        let today = now.with_timezone(&zone).date_naive();
        let first = match self {
            Self::Total => None,
            Self::Day => Some(today),
            Self::Week => monday(today),
            Self::Month => today.with_day(1),
        };
        let next = match self {
            Self::Total => None,
            Self::Day => today.checked_add_days(Days::new(1)),
            Self::Week => monday(today).and_then(|monday| monday.checked_add_days(Days::new(7))),
            Self::Month => today.with_day(1).and_then(|first| first.checked_add_months(Months::new(1))),
        };
        let name = match self {
            Self::Total => "total".to_owned(),
            Self::Day => today.format("%Y-%m-%d").to_string(),
            Self::Week => today.format("%G-W%V").to_string(),
            Self::Month => today.format("%Y-%m").to_string(),
        };
        let midnight = |day: Option<NaiveDate>| day.and_then(|day| midnight(day, zone));
        PeriodWindow { name: name.into(), start: midnight(first), end: midnight(next) }
    }
}

impl fmt::Display for BudgetPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One month, week or day of the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeriodWindow {
    /// Its name, such as `2026-11`, `2026-W48`, `2026-11-25` or `total`.
    pub name: Arc<str>,
    /// When it begins; none for the one that has always been.
    pub start: Option<DateTime<Utc>>,
    /// When the next one begins; none for the one that never ends.
    pub end: Option<DateTime<Utc>>,
}

impl PeriodWindow {
    /// Whether a moment falls into it.
    pub fn contains(&self, moment: DateTime<Utc>) -> bool {
        self.start.is_none_or(|start| start <= moment) && !self.is_over(moment)
    }

    /// Whether it is over.
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.end.is_some_and(|end| end <= now)
    }
}

fn monday(day: NaiveDate) -> Option<NaiveDate> {
    day.checked_sub_days(Days::new(u64::from(day.weekday().num_days_from_monday())))
}

/// The first moment of a day; where the clocks skip midnight, the first hour that exists.
fn midnight(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let hours = (0..24).filter_map(|hour| NaiveTime::from_hms_opt(hour, 0, 0));
    hours.filter_map(|time| zone.from_local_datetime(&day.and_time(time)).earliest()).next().map(|at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    /// B6: a month ends at midnight where the budget lives, not in Greenwich.
    #[test]
    fn b6_months_end_by_the_calendar_of_the_zone() {
        let zone = chrono_tz::Asia::Ho_Chi_Minh;
        let before = BudgetPeriod::Month.at(at("2026-11-30T16:59:59Z"), zone);
        assert_eq!((&*before.name, before.end), ("2026-11", Some(at("2026-11-30T17:00:00Z"))));
        assert!(!before.is_over(at("2026-11-30T16:59:59Z")) && before.is_over(at("2026-11-30T17:00:00Z")));
        assert_eq!(&*BudgetPeriod::Month.at(at("2026-11-30T17:00:00Z"), zone).name, "2026-12");
        assert_eq!(&*BudgetPeriod::Month.at(at("2026-11-30T17:00:00Z"), Tz::UTC).name, "2026-11");
    }

    #[test]
    fn days_weeks_and_totals() {
        let now = at("2027-01-01T12:00:00Z");
        assert_eq!(&*BudgetPeriod::Day.at(now, Tz::UTC).name, "2027-01-01");
        let week = BudgetPeriod::Week.at(now, Tz::UTC);
        assert_eq!((&*week.name, week.end), ("2026-W53", Some(at("2027-01-04T00:00:00Z"))));
        assert_eq!(BudgetPeriod::Total.at(now, Tz::UTC).end, None);
        // The clocks of Beirut went from 23:59 to 01:00 on 26 March 2028.
        assert!(BudgetPeriod::Day.at(at("2028-03-25T12:00:00Z"), chrono_tz::Asia::Beirut).end.is_some());
    }
}
