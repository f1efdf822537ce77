//! What breaks.

use callrelay::model::CallId;
use callrelay::relay::{Effect, Input};

use crate::books::Check;
use crate::world::{World, pbx};

impl World {
    pub(crate) fn something_breaks(&mut self) -> Check {
        match self.dice.between(0, 99) {
            0..=39 => self.loses_the_pbx(),
            40..=49 => {
                self.story.tell(self.now, || "Asterisk is restarted".to_owned());
                self.loses_the_pbx()?;
                self.switch.restarts(self.now);
                Ok(())
            }
            50..=69 => self.dies(),
            70..=79 => self.stops_and_starts(),
            _ => {
                self.store.is_full = true;
                self.has_room_at = Some(self.now + self.dice.millis(10, 4_000));
                Ok(())
            }
        }
    }

    fn loses_the_pbx(&mut self) -> Check {
        self.story.tell(self.now, || "the PBX is out of sight".to_owned());
        self.wire.breaks();
        self.tracker.suspend();
        self.switch.truth.lost_sight(self.now);
        let away = match self.dice.between(0, 2) {
            0 => self.dice.millis(50, 200),
            1 => self.dice.millis(200, 4_000),
            _ => self.dice.millis(4_000, 20_000),
        };
        self.reconnects_at = Some(self.now + away);
        self.tells_relay(self.now, Input::PbxLost(pbx()))
    }

    /// `kill -9`: what was not committed is lost as a whole.
    fn dies(&mut self) -> Check {
        let outcome_lost = self.dice.chance(50);
        self.story.tell(self.now, || {
            format!("the relay is killed (batch lost: {outcome_lost})")
        });
        if outcome_lost {
            self.store.batch = None;
        } else {
            let _ = self.store.finish()?;
        }
        let batched = self.batched.take();
        if let Some((at, books)) = batched.filter(|_| !outcome_lost && !self.store.is_full) {
            self.kept = books;
            self.kept_at = at;
        }
        self.begins_anew(false)
    }

    /// An orderly stop writes what there is.
    fn stops_and_starts(&mut self) -> Check {
        self.story
            .tell(self.now, || "the relay is stopped and started".to_owned());
        if self.store.is_full {
            return self.dies();
        }
        let _ = self.store.finish()?;
        self.relay.write_all_positions();
        let effects: Vec<Effect> = self.relay.effects().collect();
        for effect in effects {
            if let Effect::Write(write) = effect {
                self.store.writes.push(write);
            }
        }
        let writes = std::mem::take(&mut self.store.writes);
        self.store.batch = Some((
            self.now,
            crate::store::Batch {
                writes,
                reads: Vec::new(),
            },
        ));
        let _ = self.store.finish()?;
        self.kept = self.books.clone();
        self.kept_at = self.now;
        self.batched = None;
        self.begins_anew(true)
    }

    /// Of a hold that was still on when the record was written nobody knows that anything of it was handed over.
    fn forget_ends_of_holds(&mut self) {
        for terminal in &mut self.terminals {
            let phone = &terminal.phone;
            for (epoch, known) in &mut terminal.boxes {
                // It may have been the mailbox of another call, which became part of this one.
                let is_of = |(id, call): &(&CallId, &crate::mailboxes::Call)| {
                    let mailbox = call.boxes.get(phone).and_then(|mailbox| mailbox.epoch.as_ref());
                    mailbox.map_or(known.call.as_ref() == Some(*id), |known| known == epoch)
                };
                let is_paused = |books: &crate::books::Books| {
                    let mut calls = books.calls.iter().filter(is_of);
                    calls.any(|(_, call)| call.view.paused.contains(phone))
                };
                known.may_repeat |= is_paused(&self.kept) && !is_paused(&self.books);
            }
        }
    }

    fn begins_anew(&mut self, was_orderly: bool) -> Check {
        self.wire.breaks();
        self.store.writes.clear();
        self.store.reads.clear();
        self.store.batch = None;
        self.store.retry_at = None;
        self.unwritten.clear();
        for terminal in &mut self.terminals {
            terminal.disconnected();
        }
        self.forget_ends_of_holds();
        self.kept.forget_late_positions(self.now, was_orderly);
        self.books = self.kept.clone();
        self.switch.holds_of_nobody_are_forgotten();
        // A resume that waited for its delay is in no memory.
        let kept = self
            .kept_at
            .as_micros()
            .min(self.now.as_micros())
            .saturating_sub(350_000);
        let doubtful = callrelay::model::Moment::from_micros(kept);
        self.doubtful_since = Some(self.doubtful_since.map_or(doubtful, |since| since.min(doubtful)));
        self.starts()
    }
}
