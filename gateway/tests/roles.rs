//! Who may call what: every call of the contract × every kind of caller. A call that is not in the table
//! fails the test, so that nothing opens by being forgotten.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use futures_util::stream;
use http::uri::PathAndQuery;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use quorate_link::Role;
use quorate_proto::{
    FILE_DESCRIPTOR_SET,
    ids::NodeId,
    status::{ErrorReason, reason_of},
};
use support::World;
use tonic::{Request, Status, client::Grpc, transport::Channel};
use tonic_prost::ProstCodec;

/// Whom a service is for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum For {
    /// Whoever connects: it is how a session begins.
    Anybody,
    Sessions,
    Operators,
}

const SERVICES: [(&str, For); 5] = [
    ("quorate.v1.Sessions", For::Anybody),
    ("quorate.v1.Ration", For::Sessions),
    ("quorate.v1.Stock", For::Sessions),
    ("quorate.v1.Slips", For::Sessions),
    ("quorate.admin.v1.Admin", For::Operators),
];

/// Every method of the public packages, as `(service, method)`.
fn methods() -> Vec<(String, String)> {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let public = |package: &str| matches!(package, "quorate.v1" | "quorate.admin.v1");
    let files = set.file.iter().filter(|file| public(file.package()));
    let services = files.flat_map(|file| {
        let name = |service: &str| format!("{}.{service}", file.package());
        file.service.iter().map(move |s| (name(s.name()), s))
    });
    services
        .flat_map(|(name, service)| {
            let methods = service.method.iter();
            methods.map(move |method| (name.clone(), method.name().to_owned()))
        })
        .collect()
}

/// Sends one empty message, and returns the error of the call or of its first answer.
async fn call(
    channel: &Channel,
    service: &str,
    method: &str,
    token: Option<&str>,
) -> Result<(), Status> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let mut request = Request::new(stream::iter([()]));
    request.set_timeout(Duration::from_secs(2));
    if let Some(token) = token {
        let header = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", header);
    }
    let path: PathAndQuery = format!("/{service}/{method}").parse().unwrap();
    let codec: ProstCodec<(), ()> = ProstCodec::default();
    let answers = grpc.streaming(request, path, codec).await?;
    answers.into_inner().message().await.map(drop)
}

fn turned_away(result: &Result<(), Status>) -> Option<ErrorReason> {
    let reason = result.as_ref().err().and_then(reason_of)?;
    let of_role = [ErrorReason::SessionMissing, ErrorReason::RoleRequired];
    of_role.contains(&reason).then_some(reason)
}

#[tokio::test]
async fn every_call_is_denied_to_everybody_it_is_not_for() {
    let world = World::start().await;
    let token = world.token().await;
    let nobody = world.terminal().await;
    let node = world.as_role(Role::Node(NodeId(1))).await;
    let gateway = world.as_role(Role::Gateway("one".into())).await;
    let operator = world.as_role(Role::Operator("kim".into())).await;
    let callers = [
        ("nobody", &nobody, None),
        ("a terminal", &nobody, Some(&*token)),
        ("a node", &node, None),
        ("a gateway", &gateway, None),
        ("an operator", &operator, None),
    ];

    let methods = methods();
    assert!(methods.len() > 25, "{methods:?}");
    for (service, method) in methods {
        let known = SERVICES.iter().find(|(name, _)| *name == service);
        let (_, whom) = known.unwrap_or_else(|| panic!("say whom {service} is for"));
        for (who, channel, token) in callers {
            let result = call(channel, &service, &method, token).await;
            let expected = match whom {
                For::Anybody => None,
                For::Sessions if who == "a terminal" => None,
                For::Sessions => Some(ErrorReason::SessionMissing),
                For::Operators if who == "an operator" => None,
                For::Operators => Some(ErrorReason::RoleRequired),
            };
            assert_eq!(
                turned_away(&result),
                expected,
                "{who} calls {service}/{method}: {result:?}"
            );
        }
    }
}
