//! Test networks: all keys in one place, so for trying out only.

use super::keys::write_keystore;
use super::output::Output;
use super::{CliError, output};
use crate::clock::Clock;
use crate::config::Config;
use crate::home::{Home, ValidatorKeys};
use salus_client::{Identity, PublicIdentity};
use salus_genesis::{ACCESS, Agreement, CARE, FoundingContract, Genesis, OpenPolicy, Params, REGISTRY};
use salus_types::abi::registry::{Principal, Role, Status};
use salus_types::{Hash, Member, MemberId, Slot};
use serde_json::json;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// Names of the first hospitals of a test network.
const HOSPITALS: [&str; 8] = [
    "Aurora", "Birch", "Cedar", "Delta", "Elm", "Fjord", "Grove", "Harbour",
];
/// The staff each hospital starts with.
const STAFF: [(&str, Role); 3] = [
    ("admin", Role::Admin),
    ("manager", Role::Manager),
    ("operator", Role::Operator),
];

#[derive(Debug, clap::Args)]
pub(crate) struct TestnetArguments {
    /// How many hospitals, 1 to 31.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=31))]
    validators: u16,
    /// k, how many shares open a block; n - 2f if not given. More, up to n - f - ceil(f/2), takes less room, and deposits
    /// until enough hospitals have signed that they hold their shares.
    #[arg(long, value_name = "K")]
    threshold: Option<u16>,
    /// S, how many shares are dealt of each block, one for each hospital that there will ever be until old blocks are resealed; the
    /// power of two of at least twice the hospitals if not given.
    #[arg(long, value_name = "S")]
    slots: Option<u16>,
    /// The folder to write; it must not exist yet, or be empty.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The first port; each validator takes two. 0 picks free ones.
    #[arg(long, default_value_t = 8700)]
    base_port: u16,
    /// The network's name.
    #[arg(long, default_value = "testnet")]
    name: String,
    /// Who may have blocks opened: `members`, or whoever has a `ticket` of the access contract.
    #[arg(long, default_value = "members", value_parser = policy_argument)]
    open_policy: OpenPolicy,
    /// How long a change of contracts waits after its votes, in seconds; half as long if the contract is frozen.
    #[arg(long, value_name = "SECONDS")]
    timelock_s: Option<u64>,
}

fn policy_argument(text: &str) -> Result<OpenPolicy, String> {
    match text {
        "members" => Ok(OpenPolicy::Members),
        "ticket" => Ok(OpenPolicy::Ticket),
        _ => Err("members or ticket".into()),
    }
}

/// A test network on disk.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) genesis: Genesis,
    pub(crate) homes: Vec<PathBuf>,
    /// Addresses of the validators' public interfaces.
    pub(crate) nodes: Vec<SocketAddr>,
    /// The staff's keystores, with the number and role of each.
    pub(crate) people: Vec<(u32, Role, MemberId, PathBuf)>,
    /// The passphrase of every keystore of the network.
    pub(crate) passphrase: String,
}

pub(crate) fn run(arguments: &TestnetArguments, output: Output) -> Result<(), CliError> {
    let mut params = Params::usual(
        usize::from(arguments.validators),
        Hash::new(salus_runtime::gas_table_hash()),
    );
    params.threshold = arguments.threshold;
    params.slots = arguments.slots.unwrap_or(params.slots);
    params.open_policy = arguments.open_policy;
    if let Some(seconds) = arguments.timelock_s {
        params.contracts.timelock_ms = seconds.saturating_mul(1_000);
        params.contracts.frozen_timelock_ms = params.contracts.timelock_ms / 2;
    }
    let layout = write_testnet(
        &arguments.dir,
        &arguments.name,
        arguments.validators,
        params,
        arguments.base_port,
    )?;
    let params = &layout.genesis.agreement().params;
    let threshold = layout.genesis.threshold();
    let start: Vec<String> = layout
        .homes
        .iter()
        .map(|home| format!("  salus start --home {} &", home.display()))
        .collect();
    let text = format!(
        "{}\n\nStart the validators:\n{}\n\nThen, for example:\n  salus status --node http://{}",
        output::table(&[
            ("network", layout.genesis.agreement().name.clone()),
            ("hospitals", layout.homes.len().to_string()),
            ("shares to open", format!("{threshold} of {}", params.slots)),
            ("people", arguments.dir.join("people").display().to_string()),
            (
                "passphrase",
                arguments
                    .dir
                    .join("people")
                    .join("passphrase")
                    .display()
                    .to_string()
            ),
        ]),
        start.join("\n"),
        layout.nodes.first().map(ToString::to_string).unwrap_or_default(),
    );
    let people = layout.people.iter().map(|(number, role, member, path)| {
        json!({ "number": number, "role": format!("{role:?}").to_lowercase(), "member": member.get(), "key": path.display().to_string() })
    });
    output.result(
        &text,
        &json!({
            "network": layout.genesis.agreement().name,
            "chain": layout.genesis.chain_id().to_string(),
            "threshold": threshold,
            "slots": params.slots,
            "homes": layout.homes.iter().map(|home| home.display().to_string()).collect::<Vec<_>>(),
            "nodes": layout.nodes.iter().map(|node| format!("http://{node}")).collect::<Vec<_>>(),
            "people": people.collect::<Vec<_>>(),
        }),
    );
    Ok(())
}

/// Writes a folder for each validator and one for the staff's keystores.
pub(crate) fn write_testnet(
    dir: &Path,
    name: &str,
    validators: u16,
    params: Params,
    base_port: u16,
) -> Result<Layout, CliError> {
    let occupied = std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(CliError::Usage(format!(
            "{} is not empty: choose another folder",
            dir.display()
        )));
    }
    let ports = ports(usize::from(validators) * 2, base_port)?;
    let local = |port: &u16| SocketAddr::from(([127, 0, 0, 1], *port));
    let (nodes, network) = ports.split_at(usize::from(validators));
    let nodes: Vec<SocketAddr> = nodes.iter().map(local).collect();
    let passphrase =
        data_encoding::BASE32_NOPAD.encode(crate::random_bytes().first_chunk::<10>().unwrap_or(&[0; 10]));
    let identities: Vec<Identity> = nodes
        .iter()
        .map(|_| Identity::from_seed(&crate::random_bytes()))
        .collect();
    let members = (0..validators)
        .zip(&identities)
        .zip(network)
        .map(|((number, identity), port)| member(number, identity, *port));
    let staff: Vec<(Role, MemberId, Identity, PathBuf)> = (0..validators)
        .flat_map(|member| STAFF.map(|(title, role)| (member, title, role)))
        .map(|(member, title, role)| {
            let path = dir.join("people").join(format!("{title}{member}.key"));
            (
                role,
                MemberId::new(member),
                Identity::from_seed(&crate::random_bytes()),
                path,
            )
        })
        .collect();
    let genesis = Genesis::new(Agreement {
        name: name.into(),
        time: Clock::start().wall(),
        params,
        members: members.collect(),
        principals: staff
            .iter()
            .map(|(role, member, identity, _)| principal(*role, *member, identity))
            .collect(),
        contracts: [REGISTRY, ACCESS, CARE]
            .map(|code| FoundingContract::new(Hash::of_content(code)))
            .to_vec(),
    });
    let genesis = genesis.map_err(|error| CliError::Usage(error.to_string()))?;
    let mut homes = Vec::new();
    for (number, identity) in (0..validators).zip(&identities) {
        let config = config(&nodes, network, usize::from(number));
        homes.push(write_home(dir, number, identity, &genesis, &config, &passphrase)?);
    }
    let mut people = Vec::new();
    for ((role, member, identity, path), number) in staff.into_iter().zip(0..) {
        write_keystore(&path, &identity, &passphrase)?;
        people.push((number, role, member, path));
    }
    write(
        &Home::new(dir),
        &dir.join("people").join("passphrase"),
        passphrase.as_bytes(),
    )?;
    Ok(Layout {
        genesis,
        homes,
        nodes,
        people,
        passphrase,
    })
}

fn write(home: &Home, path: &Path, content: &[u8]) -> Result<(), CliError> {
    home.write_private(path, content)
        .map_err(|error| CliError::Usage(error.to_string()))
}

fn write_home(
    dir: &Path,
    number: u16,
    identity: &Identity,
    genesis: &Genesis,
    config: &Config,
    passphrase: &str,
) -> Result<PathBuf, CliError> {
    let home = Home::new(dir.join(format!("node{number}")));
    let text = genesis
        .to_toml()
        .map_err(|error| CliError::Usage(error.to_string()))?;
    write(&home, &home.genesis(), text.as_bytes())?;
    write(&home, &home.config(), config.to_commented_toml().as_bytes())?;
    write(&home, &home.passphrase_file(), passphrase.as_bytes())?;
    write_keystore(&home.key_file(), identity, passphrase)?;
    Ok(home.path().to_path_buf())
}

fn member(number: u16, identity: &Identity, port: u16) -> Member {
    let keys = ValidatorKeys::from_seed(&identity.signing().seed());
    let name = HOSPITALS
        .get(usize::from(number))
        .map_or_else(|| format!("Hospital {number}"), ToString::to_string);
    Member {
        id: MemberId::new(number),
        name,
        consensus_key: keys.consensus.public(),
        network_key: keys.network.public(),
        release_key: *keys.release.public().as_bytes(),
        slot: Slot::new(number),
        addresses: vec![format!("/ip4/127.0.0.1/tcp/{port}")],
    }
}

fn principal(role: Role, organisation: MemberId, identity: &Identity) -> Principal {
    let PublicIdentity {
        signing_key,
        encryption_key,
    } = identity.public();
    Principal {
        signing_key: *signing_key.as_bytes(),
        encryption_key: *encryption_key.as_bytes(),
        role,
        organisation,
        status: Status::Active,
        address: None,
        attributes: Vec::new(),
    }
}

fn config(nodes: &[SocketAddr], network: &[u16], number: usize) -> Config {
    let mut config = Config::default();
    if let (Some(api), Some(port)) = (nodes.get(number), network.get(number)) {
        config.api.listen = *api;
        config.network.listen = vec![format!("/ip4/127.0.0.1/tcp/{port}")];
    }
    config
}

/// Ports from a base, or free ones picked by the system.
fn ports(count: usize, base: u16) -> Result<Vec<u16>, CliError> {
    if base > 0 {
        let ports: Vec<u16> = (base..=u16::MAX).take(count).collect();
        return if ports.len() == count {
            Ok(ports)
        } else {
            Err(CliError::Usage("the base port is too high".into()))
        };
    }
    let busy = |error: std::io::Error| CliError::Usage(format!("no free port: {error}"));
    // All are held until all are known, so that none is picked twice.
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)))
        .collect::<Result<_, _>>()
        .map_err(busy)?;
    listeners
        .iter()
        .map(|listener| listener.local_addr().map(|address| address.port()).map_err(busy))
        .collect()
}
