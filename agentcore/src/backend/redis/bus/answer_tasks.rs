//! The answers to questions that cannot be given at once, because workers must act first.
//!
//! A worker that is stuck never acts, so the number of waiting answers and their time are bounded. A question that
//! delivers a message and is given up may have reached only some of its recipients, which is a loss.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::backend::redis::keys::Channel;
use crate::backend::{Answer, Async};

/// Number of answers that wait at the same time.
const MAX_WAITING: usize = 1_024;
/// Time that an answer waits; longer than a caller usually waits for it.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The waiting answers of one subscriber connection.
pub(super) struct AnswerTasks {
    free: Arc<Semaphore>,
    undelivered: mpsc::UnboundedSender<Channel>,
}

impl AnswerTasks {
    /// Creates the tasks, and the receiver of the channels whose messages may not have been delivered.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Channel>) {
        let (undelivered, received) = mpsc::unbounded_channel();
        (Self { free: Arc::new(Semaphore::new(MAX_WAITING)), undelivered }, received)
    }

    /// Waits for an answer in a task of its own and sends it. `delivers` is the channel of the message in the question.
    pub(super) fn send_later(
        &self,
        answering: Async<'static, Answer>,
        delivers: Option<Channel>,
        send: impl FnOnce(Answer) + Send + 'static,
    ) {
        let undelivered = self.undelivered.clone();
        let give_up = move || {
            if let Some(channel) = delivers {
                let _ = undelivered.send(channel);
            }
        };
        let Ok(permit) = self.free.clone().try_acquire_owned() else { return give_up() };
        tokio::spawn(async move {
            let _permit = permit;
            match timeout(MAX_WAIT, answering).await {
                Ok(answer) => send(answer),
                Err(_) => give_up(),
            }
        });
    }
}
