//! Reads settings of the framework and of applications from environment variables.

mod dot_env;
mod unread;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use crate::error::Error;
use crate::sync::{Mutex, lock};

/// The names that the process has read, and those that are set, in the environment or in `.env`.
static NAMES: Mutex<(BTreeSet<String>, BTreeSet<String>)> = Mutex::new((BTreeSet::new(), BTreeSet::new()));

/// Reads environment variables and collects every invalid value, so that one error reports all of them.
///
/// A value comes from the environment, else from `.env` in the working directory, else from the default. An empty value
/// counts as not set. [`AgentCore::build`](crate::AgentCore::build) warns of variables that are set, that nothing has
/// read, and whose names are nearly those of variables that were read. The framework reads its own [`Settings`](crate::Settings) in the same way.
///
/// ```
/// # fn main() -> agentcore::Result<()> {
/// use agentcore::Env;
///
/// struct Shop { currency: String, basket: usize }
///
/// let mut env = Env::load()?;
/// let currency = env.get("SHOP_CURRENCY").unwrap_or_else(|| "EUR".to_owned());
/// let basket = env.number("SHOP_BASKET", 20, 1, 500);
/// let shop = env.finish(Shop { currency, basket })?; // an error names every invalid variable
/// # assert_eq!((shop.currency.as_str(), shop.basket), ("EUR", 20));
/// # Ok(())
/// # }
/// ```
pub struct Env<'a> {
    lookup: Lookup<'a>,
    problems: Vec<String>,
}

/// Returns the value of a variable.
type Lookup<'a> = Box<dyn Fn(&str) -> Option<String> + 'a>;

impl fmt::Debug for Env<'_> {
    // Leaves out the values, since some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").field("problems", &self.problems).finish_non_exhaustive()
    }
}

impl Env<'static> {
    /// Reads the environment, and `.env` in the working directory for variables that the environment lacks. A `$` in
    /// `.env` is kept; variables are not expanded.
    ///
    /// # Errors
    /// A `.env` file exists and cannot be read. The error names the line and its variable, and shows no value.
    pub fn load() -> Result<Self, Error> {
        let mut values: HashMap<_, _> = dot_env::read(".env")?.into_iter().collect();
        for (name, value) in std::env::vars_os() {
            // An empty variable counts as not set, so the value of the file applies. A value that is not UTF-8 is kept
            // in its lossy form, which the parser then rejects.
            if let Some(name) = name.to_str()
                && !value.is_empty()
            {
                values.insert(name.to_owned(), value.to_string_lossy().into_owned());
            }
        }
        lock(&NAMES).1.extend(values.keys().cloned());
        Ok(Self::from_values(move |name| {
            lock(&NAMES).0.insert(name.to_owned());
            values.get(name).cloned()
        }))
    }
}

/// Logs the variables that are set and that nothing has read, if their names are nearly those of settings.
pub(crate) fn warn_about_misspelt_names() {
    let names = lock(&NAMES);
    let misspelt = unread::misspelt(&names.1, &names.0);
    drop(names);
    if !misspelt.is_empty() {
        tracing::warn!("these variables have no effect: {}", misspelt.join(", "));
    }
}

impl<'a> Env<'a> {
    /// Reads variables with `lookup`.
    pub fn from_values(lookup: impl Fn(&str) -> Option<String> + 'a) -> Self {
        Self { lookup: Box::new(lookup), problems: Vec::new() }
    }

    /// Returns the value of a variable, unparsed.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    /// Parses a variable. `allowed` describes the valid values for the error text, such as "0 to 65535".
    pub fn parse<T: FromStr>(&mut self, name: &str, default: T, allowed: &str) -> T {
        let Some(value) = self.get(name) else { return default };
        value.parse().unwrap_or_else(|_| {
            self.reject(name, &value, allowed);
            default
        })
    }

    /// Parses a variable without a default. The error of `T` says why a value is invalid.
    pub fn optional<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        let value = self.get(name)?;
        value.parse().map_err(|error| self.reject(name, &value, format!("valid: {error}"))).ok()
    }

    /// Parses a variable. The error of `T` describes the valid values.
    pub fn value<T: FromStr<Err: Display>>(&mut self, name: &str, default: T) -> T {
        let Some(value) = self.get(name) else { return default };
        value.parse().unwrap_or_else(|error| {
            self.reject(name, &value, error);
            default
        })
    }

    /// Parses a secret as [`value`](Self::value) does; its value never appears in an error.
    pub fn secret<T: FromStr<Err: Display>>(&mut self, name: &str, default: T) -> T {
        let Some(value) = self.get(name) else { return default };
        value.parse().unwrap_or_else(|error| {
            self.problems.push(format!("{name}: must be {error}; its value is not shown"));
            default
        })
    }

    /// Parses a whole number from `min` to `max`.
    pub fn number<T>(&mut self, name: &str, default: T, min: T, max: T) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let Some(value) = self.get(name) else { return default };
        match value.parse::<T>() {
            Ok(number) if number >= min && number <= max => number,
            _ => {
                self.reject(name, &value, format!("a whole number from {min} to {max}"));
                default
            }
        }
    }

    /// Parses a number of seconds from `min` to `max`; fractions are allowed.
    pub fn seconds(&mut self, name: &str, default: Duration, min: u64, max: u64) -> Duration {
        let Some(value) = self.get(name) else { return default };
        let seconds = value.parse::<f64>().ok().filter(|seconds| *seconds >= min as f64 && *seconds <= max as f64);
        // As a float, `u64::MAX` is one second more than a duration holds.
        match seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            Some(duration) => duration,
            None => {
                self.reject(name, &value, format!("a number of seconds from {min} to {max}"));
                default
            }
        }
    }

    /// Parses `true`, `1`, `false` or `0`.
    pub fn flag(&mut self, name: &str, default: bool) -> bool {
        self.one_of(name, default, &[("true", true), ("false", false), ("1", true), ("0", false)])
    }

    /// Parses one of a closed set of names, ignoring ASCII case.
    pub fn one_of<T: Copy>(&mut self, name: &str, default: T, allowed: &[(&str, T)]) -> T {
        let Some(value) = self.get(name) else { return default };
        match allowed.iter().find(|(text, _)| text.eq_ignore_ascii_case(&value)) {
            Some((_, found)) => *found,
            None => {
                let names: Vec<_> = allowed.iter().map(|(text, _)| *text).collect();
                self.reject(name, &value, format!("one of: {}", names.join(", ")));
                default
            }
        }
    }

    /// Records that a variable is invalid. The error shows the first 64 characters of `value`, so do not pass a secret.
    pub fn reject(&mut self, name: &str, value: &str, allowed: impl Display) {
        let shown: String = value.chars().take(64).collect();
        self.problems.push(format!("{name}={shown:?}: must be {allowed}"));
    }

    /// Returns `settings` if every variable was valid.
    ///
    /// # Errors
    /// One line for each invalid variable, with its value and the valid values.
    pub fn finish<T>(self, settings: T) -> Result<T, Error> {
        if self.problems.is_empty() {
            return Ok(settings);
        }
        Err(Error::start(format!("invalid settings\n{}", self.problems.join("\n"))))
    }
}
