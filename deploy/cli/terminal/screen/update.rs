//! What happens next: pure.

use quorate_client::model::{Decision, NationalId, VoidOutcome};
use zeroize::Zeroizing;

use super::model::{Act, Answer, Event, ID_CHARACTERS_MAX, Key, LastSale, Model, QUANTITY_MAX};

/// Takes an event in and says what is to be done.
pub(super) fn update(model: &mut Model, event: Event, scheme: &str) -> Option<Act> {
    match event {
        Event::Key(key) => return pressed(model, key, scheme),
        Event::Checked(Ok(verdict), quantity) => {
            model.answer = Answer::Checked { verdict, quantity };
        }
        Event::SoldOnline(recorded, sale) => {
            if recorded.verdict.decision == Decision::Granted {
                model.last_sale = Some(LastSale::of(&sale, recorded.request_id));
            }
            model.answer = Answer::Sold {
                recorded: *recorded,
                quantity: sale.quantity,
            };
        }
        Event::SoldOnPaper(receipt, quantity) => {
            // A slip is not undone here: it is handed in first.
            model.last_sale = None;
            model.answer = Answer::OnPaper { receipt, quantity };
        }
        Event::Undone(Ok(voided)) => {
            if voided.outcome == VoidOutcome::Voided {
                model.last_sale = None;
            }
            model.answer = Answer::Undone(voided);
        }
        Event::Checked(Err(error), _) | Event::NotSold(error) | Event::Undone(Err(error)) => {
            model.answer = Answer::Failed(error);
        }
        Event::Journal { waiting, slips } => (model.waiting, model.slips) = (waiting, slips),
        Event::Stock(stock) => model.stock = Some(stock),
        Event::Redraw => {}
    }
    None
}

fn pressed(model: &mut Model, key: Key, scheme: &str) -> Option<Act> {
    match key {
        Key::Quit => return Some(Act::Quit),
        Key::Language => model.lang = model.lang.other(),
        Key::Slips => model.shows_slips = !model.shows_slips,
        Key::HandIn => return Some(Act::HandIn),
        Key::More => model.quantity = QUANTITY_MAX.min(model.quantity + 1),
        Key::Less => model.quantity = 1.max(model.quantity - 1),
        Key::Ground => {
            let next = model.ground.map_or(0, |chosen| chosen + 1);
            model.ground = (next < model.grounds.len()).then_some(next);
        }
        // One question at a time: nothing is asked, changed or forgotten while one is under way.
        _ if matches!(model.answer, Answer::Asking) => {}
        Key::Character(character) => typed(model, character),
        Key::Backspace => {
            if model.entered {
                clear(model);
            }
            model.id.pop();
        }
        Key::Escape => {
            clear(model);
            model.shows_slips = false;
        }
        Key::Enter => {
            let checked = match &model.answer {
                Answer::Checked { verdict, quantity } => {
                    verdict.decision == Decision::Granted && *quantity == model.quantity
                }
                _ => false,
            };
            return ask(model, scheme, checked);
        }
        Key::Sell => return ask(model, scheme, true),
        Key::Undo => {
            let last = model.last_sale.as_ref()?;
            let undo = last.undo.clone();
            model.answer = Answer::Asking;
            return Some(Act::Undo(undo));
        }
    }
    None
}

/// A digit, or a letter of another scheme; hyphens are shown where they belong and not kept.
fn typed(model: &mut Model, character: char) {
    if !character.is_ascii_alphanumeric() {
        return;
    }
    if model.entered {
        clear(model);
    }
    if model.id.len() < ID_CHARACTERS_MAX {
        model.id.push(character.to_ascii_uppercase());
    }
}

/// The next customer.
fn clear(model: &mut Model) {
    // Of full length from the beginning, so that typing leaves no copies behind.
    model.id = Zeroizing::new(String::with_capacity(ID_CHARACTERS_MAX));
    model.entered = false;
    model.quantity = 1;
    model.ground = None;
    model.answer = Answer::Ready;
}

fn ask(model: &mut Model, scheme: &str, sell: bool) -> Option<Act> {
    if model.id.is_empty() || sold(&model.answer) {
        return None;
    }
    model.entered = true;
    model.answer = Answer::Asking;
    let id = NationalId::new(scheme, model.id.as_str());
    let ground = model
        .ground
        .and_then(|chosen| model.grounds.get(chosen).copied());
    Some(match sell {
        true => Act::Sell(id, model.quantity, ground),
        false => Act::Check(id, model.quantity, ground),
    })
}

/// Whether this customer has been served: the same key twice shall not sell twice.
fn sold(answer: &Answer) -> bool {
    match answer {
        Answer::Sold { recorded, .. } => recorded.verdict.decision == Decision::Granted,
        Answer::OnPaper { .. } => true,
        _ => false,
    }
}
