//! Slips: every reason to reject one, in one stream with good ones, which are recorded all the same.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use ed25519_dalek::{Signer as _, SigningKey};
use quorate_client::new_request_id;
use quorate_harness::{
    citizens,
    cluster::{Cluster, PROGRAM as RATION, SITES},
};
use quorate_link::SealingKey;
use quorate_proto::{
    slip::signed_bytes,
    status::ErrorReason,
    v1::{
        ListSalesRequest, Slip, SlipOutcome, SlipRejection, UploadSlipsRequest,
        UploadSlipsResponse, slips_client::SlipsClient,
    },
};
use tonic::Request;

use crate::{
    NO_ID,
    wire::{Raw, citizen, expect},
};

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;
/// The first of the buyers here.
const CITIZEN: u64 = 92_001;
const GREEDY: u64 = 92_900;

/// Writes slips of the first terminal's device, right and wrong ones.
struct Writer<'a> {
    cluster: &'a Cluster,
    key: SigningKey,
    sealing: SealingKey,
    now_ms: i64,
    sequence: u64,
}

impl<'a> Writer<'a> {
    fn new(cluster: &'a Cluster) -> Self {
        Self {
            cluster,
            key: SigningKey::from_bytes(&cluster.identity(0).key.seed()),
            sealing: cluster.sealing_key(),
            now_ms: cluster.env.unix_ms(),
            sequence: 0,
        }
    }

    /// A good slip of one unit, but for what `spoil` does to it before it is signed.
    fn write(&mut self, number: &str, spoil: impl FnOnce(&mut Slip)) -> anyhow::Result<Slip> {
        let env = &self.cluster.env;
        let request_id = new_request_id(env);
        let identity = self.cluster.identity(0);
        self.sequence += 1;
        let sealed = self.sealing.seal("KR-RRN", number, request_id, env)?;
        let mut slip = Slip {
            site_code: identity.site.to_string(),
            device_id: identity.device.to_string(),
            sequence: self.sequence,
            request_id: request_id.to_string(),
            program: RATION.to_owned(),
            product: String::new(),
            quantity: 1,
            sold_at: Some(at(self.now_ms - MINUTE_MS)),
            proxy_ground: String::new(),
            sealing_key_id: self.sealing.id().to_owned(),
            sealed_citizen: sealed.into(),
            signature: Vec::new().into(),
        };
        spoil(&mut slip);
        self.sign(&mut slip);
        Ok(slip)
    }

    fn sign(&self, slip: &mut Slip) {
        let signature = self.key.sign(&signed_bytes(slip));
        slip.signature = signature.to_bytes().to_vec().into();
    }
}

fn at(unix_ms: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: unix_ms.div_euclid(1000),
        nanos: 0,
    }
}

/// Hands slips in, in one stream; answers by sequence, which is 0 for a message without a slip.
async fn hand_in(
    raw: &Raw,
    slips: Vec<Option<Slip>>,
) -> anyhow::Result<BTreeMap<u64, UploadSlipsResponse>> {
    let count = slips.len();
    let messages = slips.into_iter().map(|slip| UploadSlipsRequest { slip });
    let messages: Vec<_> = messages.collect();
    let stream = raw.request(futures_util::stream::iter(messages));
    let mut client = SlipsClient::new(raw.channel.clone());
    let mut answers = client.upload_slips(stream).await?.into_inner();
    let mut by_sequence = BTreeMap::new();
    while let Some(answer) = answers.message().await? {
        let twice = by_sequence.insert(answer.sequence, answer);
        ensure!(twice.is_none(), "answered twice: {twice:?}");
    }
    ensure!(
        by_sequence.len() == count,
        "{} answers to {count} slips",
        by_sequence.len()
    );
    Ok(by_sequence)
}

/// One of each kind that can be told before anything else is recorded.
fn wrong_ones(writer: &mut Writer<'_>) -> anyhow::Result<Vec<(Slip, SlipRejection)>> {
    use SlipRejection as Why;
    let now_ms = writer.now_ms;
    let number = citizens::number(CITIZEN);
    let other_key = writer.sealing.id().chars().rev().collect::<String>();
    let stolen = writer.write(&number, |_| {})?.sealed_citizen;
    type Spoil = Box<dyn FnOnce(&mut Slip)>;
    let spoils: [(Why, Spoil); 21] = [
        (
            Why::TooOld,
            Box::new(move |slip| slip.sold_at = Some(at(now_ms - 35 * DAY_MS - MINUTE_MS))),
        ),
        (
            Why::TooOld,
            Box::new(|slip| slip.sold_at = Some(at(-DAY_MS))),
        ),
        (
            Why::InTheFuture,
            Box::new(move |slip| slip.sold_at = Some(at(now_ms + 20 * MINUTE_MS))),
        ),
        (
            Why::ForeignDevice,
            Box::new(|slip| slip.site_code = SITES[1].to_owned()),
        ),
        (
            Why::ForeignDevice,
            Box::new(|slip| slip.device_id = "no-such-till".to_owned()),
        ),
        (
            Why::UnreadableId,
            Box::new(move |slip| slip.sealing_key_id = other_key),
        ),
        (
            Why::UnreadableId,
            Box::new(|slip| slip.sealed_citizen = vec![7; 80].into()),
        ),
        (
            Why::UnreadableId,
            Box::new(|slip| slip.sealed_citizen.clear()),
        ),
        // An ID sealed for another slip names nobody on this one.
        (
            Why::UnreadableId,
            Box::new(move |slip| slip.sealed_citizen = stolen),
        ),
        (
            Why::UnknownProgram,
            Box::new(|slip| slip.program = "soap".to_owned()),
        ),
        (
            Why::UnknownProgram,
            Box::new(|slip| slip.program = "NO PROGRAM!".to_owned()),
        ),
        (Why::UnknownProgram, Box::new(|slip| slip.program.clear())),
        (
            Why::UnknownProduct,
            Box::new(|slip| slip.product = "soap".to_owned()),
        ),
        (
            Why::UnknownProduct,
            Box::new(|slip| slip.product = "NO PRODUCT!".to_owned()),
        ),
        (Why::InvalidQuantity, Box::new(|slip| slip.quantity = 0)),
        (Why::Malformed, Box::new(|slip| slip.sold_at = None)),
        (
            Why::Malformed,
            Box::new(|slip| slip.request_id = "17".to_owned()),
        ),
        (
            Why::Malformed,
            Box::new(|slip| slip.site_code = "no site!".to_owned()),
        ),
        (Why::Malformed, Box::new(|slip| slip.device_id.clear())),
        (
            Why::Malformed,
            Box::new(|slip| slip.proxy_ground = "MY AUNT".to_owned()),
        ),
        (
            Why::Malformed,
            Box::new(|slip| {
                slip.sold_at = Some(prost_types::Timestamp {
                    seconds: i64::MAX,
                    nanos: 0,
                });
            }),
        ),
    ];
    let mut wrong = Vec::new();
    for (why, spoil) in spoils {
        wrong.push((writer.write(&number, spoil)?, why));
    }
    wrong.push((writer.write(NO_ID, |_| {})?, Why::InvalidId));
    let altered: [fn(&mut Slip); 4] = [
        |slip| slip.quantity = 2,
        |slip| slip.product = "soap".to_owned(),
        |slip| slip.signature.clear(),
        |slip| slip.signature = vec![0; 64].into(),
    ];
    for alter in altered {
        let mut slip = writer.write(&number, |_| {})?;
        alter(&mut slip);
        wrong.push((slip, Why::BadSignature));
    }
    Ok(wrong)
}

fn expect_rejected(answer: &UploadSlipsResponse, why: SlipRejection) -> anyhow::Result<()> {
    ensure!(
        answer.outcome() == SlipOutcome::Rejected && answer.rejection() == why,
        "not rejected as {why:?}: {answer:?}"
    );
    ensure!(!answer.detail.is_empty(), "without a word: {answer:?}");
    let printed = format!("{answer:?}");
    let ids = [NO_ID.to_owned(), citizens::number(CITIZEN)];
    let echoed = ids.iter().any(|id| printed.contains(id));
    ensure!(!echoed, "an ID is echoed: {printed}");
    Ok(())
}

async fn sold_to(raw: &Raw, person: u64) -> anyhow::Result<Vec<u32>> {
    let list = ListSalesRequest {
        citizen: Some(citizen(&citizens::number(person))),
        program: RATION.to_owned(),
    };
    let sales = raw.ration().list_sales(raw.request(list)).await?;
    let sales = sales.into_inner().purchases;
    Ok(sales.iter().map(|sale| sale.quantity).collect())
}

pub(crate) async fn wrong_slips_among_good_ones(
    raw: &Raw,
    cluster: &Cluster,
) -> anyhow::Result<()> {
    let mut writer = Writer::new(cluster);
    let wrong = wrong_ones(&mut writer)?;
    let mut good = Vec::new();
    let mut stream = vec![None];
    for (person, (slip, _)) in (CITIZEN + 1..).zip(&wrong) {
        let written = writer.write(&citizens::number(person), |_| {})?;
        stream.push(Some(written.clone()));
        stream.push(Some(slip.clone()));
        good.push(written);
    }
    for outcome in [SlipOutcome::Accepted, SlipOutcome::Duplicate] {
        let answers = hand_in(raw, stream.clone()).await?;
        let answer = |slip: &Slip| answers.get(&slip.sequence).context("not answered");
        expect_rejected(
            answers.get(&0).context("not answered")?,
            SlipRejection::Malformed,
        )?;
        for (slip, why) in &wrong {
            expect_rejected(answer(slip)?, *why)?;
        }
        for slip in &good {
            let answer = answer(slip)?;
            ensure!(answer.outcome() == outcome, "{answer:?}");
            ensure!(answer.request_id == slip.request_id, "{answer:?}");
        }
    }

    // The same request id for another sale of the same person, signed and sealed as it should be.
    let mut other = good[0].clone();
    other.quantity = 2;
    other.sequence = 1_000_000;
    writer.sign(&mut other);
    let answers = hand_in(raw, vec![Some(other)]).await?;
    let answer = answers.get(&1_000_000).context("not answered")?;
    expect_rejected(answer, SlipRejection::RequestIdConflict)?;

    let nobody = sold_to(raw, CITIZEN).await?;
    ensure!(nobody.is_empty(), "a wrong slip was recorded: {nobody:?}");
    for person in (CITIZEN + 1..).take(good.len()) {
        let sold = sold_to(raw, person).await?;
        ensure!(sold == [1], "{sold:?}");
    }

    let stream = Request::new(futures_util::stream::iter([]));
    let error = SlipsClient::new(raw.channel.clone())
        .upload_slips(stream)
        .await;
    let error = error.err().context("no token")?;
    expect(&error, ErrorReason::SessionMissing, None, "");
    Ok(())
}

/// Whatever the device says was sold is recorded, and no sum of it breaks a shard.
pub(crate) async fn quantities_beyond_all_measure(
    raw: &Raw,
    cluster: &Cluster,
) -> anyhow::Result<()> {
    let mut writer = Writer::new(cluster);
    let number = citizens::number(GREEDY);
    let mut slips = Vec::new();
    for _ in 0..3 {
        let slip = writer.write(&number, |slip| slip.quantity = u32::MAX)?;
        slips.push(Some(slip));
    }
    for answer in hand_in(raw, slips.clone()).await?.values() {
        ensure!(
            answer.outcome() == SlipOutcome::OverQuotaRecorded && answer.over_by > 0,
            "{answer:?}"
        );
    }
    for answer in hand_in(raw, slips).await?.values() {
        ensure!(answer.outcome() == SlipOutcome::Duplicate, "{answer:?}");
    }
    let sold = sold_to(raw, GREEDY).await?;
    ensure!(sold == [u32::MAX; 3], "{sold:?}");
    Ok(())
}
