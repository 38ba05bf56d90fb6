//! Where settings come from, and how they are read: those of the framework and those of an application.

use std::collections::HashMap;
use std::fmt;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use crate::error::Error;

/// Reads settings, and collects what is wrong with them, so that all of it is told at once.
///
/// An application reads its own settings as the framework does: from the environment, else from `.env` in the working
/// directory, else the default. An empty value counts as not set.
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
/// let shop = env.finish(Shop { currency, basket })?; // names every bad variable, a line each
/// # assert_eq!((shop.currency.as_str(), shop.basket), ("EUR", 20));
/// # Ok(())
/// # }
/// ```
pub struct Env<'a> {
    value: Source<'a>,
    problems: Vec<String>,
}

/// Gives the value of a variable.
type Source<'a> = Box<dyn Fn(&str) -> Option<String> + 'a>;

impl fmt::Debug for Env<'_> {
    // The values stay out of it: some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").field("problems", &self.problems).finish_non_exhaustive()
    }
}

impl Env<'static> {
    /// The environment, and `.env` in the working directory for what the environment does not say.
    ///
    /// # Errors
    /// When there is a `.env` that cannot be read.
    pub fn load() -> Result<Self, Error> {
        let mut values = HashMap::new();
        match dotenvy::from_path_iter(".env") {
            Ok(lines) => {
                for line in lines {
                    let (name, value) =
                        line.map_err(|error| Error::start(format!("`.env` cannot be read: {error}")))?;
                    values.insert(name, value);
                }
            }
            Err(error) if error.not_found() => {}
            Err(error) => return Err(Error::start(format!("`.env` cannot be read: {error}"))),
        }
        for (name, value) in std::env::vars_os() {
            // An empty value counts as not set, so the file's holds; one that is no text is shown as it is refused.
            if let Some(name) = name.to_str()
                && !value.is_empty()
            {
                values.insert(name.to_owned(), value.to_string_lossy().into_owned());
            }
        }
        Ok(Self::from_values(move |name| values.get(name).cloned()))
    }
}

impl<'a> Env<'a> {
    /// The variables that `value` knows.
    pub fn from_values(value: impl Fn(&str) -> Option<String> + 'a) -> Self {
        Self { value: Box::new(value), problems: Vec::new() }
    }

    /// The value of a variable, as it is.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        (self.value)(name).filter(|value| !value.is_empty())
    }

    /// A value of any type that is parsed from a text; `allowed` says what it must be.
    pub fn parse<T: FromStr>(&mut self, name: &str, default: T, allowed: &str) -> T {
        let Some(value) = self.get(name) else { return default };
        value.parse().unwrap_or_else(|_| {
            self.refuse(name, &value, allowed);
            default
        })
    }

    /// As [`parse`](Self::parse), for a variable without a default; the type's error says what it must be.
    pub fn optional<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        let value = self.get(name)?;
        value.parse().map_err(|error| self.refuse(name, &value, format!("a name: {error}"))).ok()
    }

    /// As [`parse`](Self::parse), for a type whose error says what it must be.
    pub fn told<T: FromStr<Err: Display>>(&mut self, name: &str, default: T) -> T {
        let Some(value) = self.get(name) else { return default };
        value.parse().unwrap_or_else(|error| {
            self.refuse(name, &value, error);
            default
        })
    }

    /// As [`told`](Self::told), for a value that is never shown.
    pub fn secret<T: FromStr<Err: Display>>(&mut self, name: &str, default: T) -> T {
        let Some(value) = self.get(name) else { return default };
        value.parse().unwrap_or_else(|error| {
            self.problems.push(format!("{name}: must be {error}; its value is not shown"));
            default
        })
    }

    /// A number from `min` to `max`.
    pub fn number<T>(&mut self, name: &str, default: T, min: T, max: T) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let Some(value) = self.get(name) else { return default };
        match value.parse::<T>() {
            Ok(number) if number >= min && number <= max => number,
            _ => {
                self.refuse(name, &value, format!("a whole number from {min} to {max}"));
                default
            }
        }
    }

    /// A number of seconds from `min` to `max`; it may have a fraction.
    pub fn seconds(&mut self, name: &str, default: Duration, min: u64, max: u64) -> Duration {
        let Some(value) = self.get(name) else { return default };
        match value.parse::<f64>() {
            Ok(seconds) if seconds >= min as f64 && seconds <= max as f64 => Duration::from_secs_f64(seconds),
            _ => {
                self.refuse(name, &value, format!("a number of seconds from {min} to {max}"));
                default
            }
        }
    }

    /// A switch: `true`, `1`, `false` or `0`.
    pub fn flag(&mut self, name: &str, default: bool) -> bool {
        self.one_of(name, default, &[("true", true), ("false", false), ("1", true), ("0", false)])
    }

    /// One of a closed set of texts, whatever their case.
    pub fn one_of<T: Copy>(&mut self, name: &str, default: T, allowed: &[(&str, T)]) -> T {
        let Some(value) = self.get(name) else { return default };
        match allowed.iter().find(|(text, _)| text.eq_ignore_ascii_case(&value)) {
            Some((_, found)) => *found,
            None => {
                let names: Vec<_> = allowed.iter().map(|(text, _)| *text).collect();
                self.refuse(name, &value, format!("one of: {}", names.join(", ")));
                default
            }
        }
    }

    /// Notes that a variable is bad: `value` is shown, cut to 64 characters, so a secret must not be handed over here.
    pub fn refuse(&mut self, name: &str, value: &str, allowed: impl Display) {
        let shown: String = value.chars().take(64).collect();
        self.problems.push(format!("{name}={shown:?}: must be {allowed}"));
    }

    /// The settings that were read, unless one was bad.
    ///
    /// # Errors
    /// All bad variables at once, a line each, with the value and what is allowed.
    pub fn finish<T>(self, settings: T) -> Result<T, Error> {
        if self.problems.is_empty() {
            return Ok(settings);
        }
        Err(Error::start(format!("bad settings\n{}", self.problems.join("\n"))))
    }
}
