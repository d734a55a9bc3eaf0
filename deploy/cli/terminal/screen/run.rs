//! The shell: the terminal, the keys, the network. Everything it decides is decided in `update`.

use std::{
    io::{self, IsTerminal as _},
    sync::Arc,
    thread,
    time::Duration,
};

use quorate_client::{
    Terminal,
    model::{Proxy, Sale},
    new_request_id,
};
use quorate_proto::ids::{GroundId, ProgramId};
use quorate_terminal::{Counter, SharedJournal, Sold, hand_in, keep_handing_in, limits};
use ratatui::crossterm::event::{self, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::{Notify, mpsc};
use zeroize::Zeroizing;

use super::{
    model::{Act, Answer, Event, ID_CHARACTERS_MAX, Key, Model, SlipLine, StockLine, Trouble},
    update::update,
    view::view,
    words::Lang,
};
use crate::{
    exit::{Exit, Failure},
    reach::Reach,
    terminal::open,
};

/// Slips that the screen lists.
const SLIPS_SHOWN: usize = 200;

/// How often the keyboard is left to see whether the screen still stands.
const KEY_POLL: Duration = Duration::from_millis(200);

/// How often the stock is asked for.
const STOCK_INTERVAL: Duration = Duration::from_secs(15);

/// What the tasks share.
#[derive(Clone)]
struct Shop {
    counter: Arc<Counter<Terminal>>,
    events: mpsc::UnboundedSender<Event>,
    written: Arc<Notify>,
    program: ProgramId,
    reach_env: quorate_link::Env,
    env: quorate_link::Env,
    time_limit: Duration,
}

pub(in crate::terminal) async fn run(
    lang: Lang,
    grounds: Vec<GroundId>,
    reach: &Reach,
) -> Result<Exit, Failure> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Failure::usage("the counter's screen needs a terminal")
            .next("use `quorate terminal sell`, `slips` and `hand-in` in scripts"));
    }
    let counter = open::counter(reach)?;
    let (events, mut heard) = mpsc::unbounded_channel();
    let identity = counter.online().identity();
    let mut model = Model {
        lang,
        place: format!("{} · {}", identity.site, identity.device),
        zone: reach.time_zone.clone(),
        id: Zeroizing::new(String::with_capacity(ID_CHARACTERS_MAX)),
        entered: false,
        quantity: 1,
        grounds,
        ground: None,
        answer: Answer::Ready,
        last_sale: None,
        waiting: 0,
        slips: Vec::new(),
        shows_slips: false,
        stock: None,
    };
    let shop = Shop {
        counter: Arc::new(counter),
        events,
        written: Arc::new(Notify::new()),
        program: reach.program(None)?,
        reach_env: reach.env.clone(),
        env: open::env(reach),
        time_limit: reach.time_limit,
    };
    shop.background();
    listen_to_keys(shop.events.clone());
    shop.tell_journal();

    let scheme = reach.context.value.id_scheme.clone();
    let mut screen = ratatui::init();
    let ended = loop {
        if let Err(error) = screen.draw(|frame| view(&model, frame)) {
            break Err(Failure::unexpected(format!("cannot draw: {error}")));
        }
        let Some(event) = heard.recv().await else {
            break Ok(Exit::Ok);
        };
        match update(&mut model, event, &scheme) {
            Some(Act::Quit) => break Ok(Exit::Ok),
            Some(act) => shop.start(act),
            None => {}
        }
    };
    ratatui::restore();
    ended
}

impl Shop {
    /// Starts what the clerk asked for; its end comes as an event.
    fn start(&self, act: Act) {
        let shop = self.clone();
        drop(self.reach_env.spawn("counter", async move {
            let event = match act {
                Act::Check(citizen, quantity, ground) => {
                    let sale = shop.sale(citizen, quantity, ground);
                    let terminal = shop.counter.online();
                    let checked = terminal.check(&sale, shop.time_limit).await;
                    Event::Checked(checked.map_err(Trouble::from), quantity)
                }
                Act::Sell(citizen, quantity, ground) => {
                    let sale = shop.sale(citizen, quantity, ground);
                    shop.sell(sale).await
                }
                Act::Undo(undo) => {
                    let request_id = new_request_id(&shop.reach_env);
                    let terminal = shop.counter.online();
                    let undone = terminal.void(request_id, &undo, shop.time_limit).await;
                    Event::Undone(undone.map_err(Trouble::from))
                }
                Act::HandIn => {
                    let terminal = shop.counter.online();
                    hand_in(terminal, shop.counter.journal(), &shop.env, |_| {}).await;
                    Event::Redraw
                }
                Act::Quit => return,
            };
            shop.tell(event);
            shop.tell_journal();
        }));
    }

    fn sale(
        &self,
        citizen: quorate_client::model::NationalId,
        quantity: u32,
        ground: Option<GroundId>,
    ) -> Sale {
        let proxy = ground.map(|ground| Proxy {
            ground,
            buyer: None,
        });
        Sale {
            proxy,
            ..Sale::new(citizen, self.program, quantity)
        }
    }

    async fn sell(&self, sale: Sale) -> Event {
        let request_id = new_request_id(&self.reach_env);
        let patience = self.time_limit.min(limits::ONLINE_PATIENCE);
        match self.counter.sell(request_id, &sale, patience).await {
            Ok(Sold::Online(recorded)) => Event::SoldOnline(Box::new(recorded), Box::new(sale)),
            Ok(Sold::OnPaper(receipt)) => {
                self.written.notify_one();
                Event::SoldOnPaper(receipt, sale.quantity)
            }
            Err(error) => Event::NotSold(error.into()),
        }
    }

    /// Hands in what waits and asks for the stock, for as long as the screen stands.
    fn background(&self) {
        let shop = self.clone();
        drop(self.reach_env.spawn("hand in", async move {
            let (online, journal) = (shop.counter.online(), shop.counter.journal());
            let changed = || shop.tell_journal();
            keep_handing_in(online, journal, &shop.env, &shop.written, changed).await;
        }));
        let shop = self.clone();
        drop(self.reach_env.spawn("stock", async move {
            loop {
                let stock = shop.counter.online().stock(shop.time_limit).await;
                let first = stock
                    .ok()
                    .and_then(|stock| stock.products.into_iter().next());
                if let Some(product) = first {
                    shop.tell(Event::Stock(StockLine {
                        on_hand: product.on_hand,
                        held: product.held,
                    }));
                }
                shop.reach_env.sleep(STOCK_INTERVAL).await;
            }
        }));
    }

    fn tell(&self, event: Event) {
        // The screen is gone: nobody to tell.
        let _ended = self.events.send(event);
    }

    fn tell_journal(&self) {
        self.tell(journal_event(self.counter.journal()));
    }
}

fn journal_event(journal: &SharedJournal) -> Event {
    let journal = journal.lock();
    let book = journal.book();
    let newest = book.entries().iter().rev().take(SLIPS_SHOWN);
    let slips = newest.map(|entry| SlipLine {
        sequence: entry.slip.sequence(),
        sold_at_ms: entry.slip.sold_at_ms(),
        quantity: entry.slip.quantity(),
        answer: entry.settled.as_ref().map(|settled| settled.answer.clone()),
        last_try: entry.last_try.clone(),
    });
    Event::Journal {
        waiting: book.waiting(),
        slips: slips.collect(),
    }
}

/// Reads the keyboard on a thread of its own, which ends with the screen.
fn listen_to_keys(events: mpsc::UnboundedSender<Event>) {
    thread::spawn(move || {
        while !events.is_closed() {
            let told = match event::poll(KEY_POLL) {
                Ok(false) => continue,
                Ok(true) => event::read(),
                Err(error) => Err(error),
            };
            let event = match told {
                Ok(event::Event::Key(key)) if key.kind == KeyEventKind::Press => {
                    meaning(key.code, key.modifiers).map(Event::Key)
                }
                Ok(event::Event::Resize(..)) => Some(Event::Redraw),
                Ok(_) => None,
                Err(_) => Some(Event::Key(Key::Quit)),
            };
            if event.is_some_and(|event| events.send(event).is_err()) {
                return;
            }
        }
    });
}

fn meaning(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
    Some(match code {
        KeyCode::Char('c' | 'q') if modifiers.contains(KeyModifiers::CONTROL) => Key::Quit,
        KeyCode::Char(character) => Key::Character(character),
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Up | KeyCode::Right => Key::More,
        KeyCode::Down | KeyCode::Left => Key::Less,
        KeyCode::F(2) => Key::Sell,
        KeyCode::F(3) => Key::Ground,
        KeyCode::F(4) => Key::Undo,
        KeyCode::F(5) => Key::Slips,
        KeyCode::F(6) => Key::HandIn,
        KeyCode::F(9) => Key::Language,
        KeyCode::F(10) => Key::Quit,
        _ => return None,
    })
}
