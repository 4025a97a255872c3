//! A new hospital's folder: keys, configuration, and the card for the others.

use super::keys::write_keystore;
use super::output::{Output, table};
use super::{CliError, person};
use crate::card;
use crate::config::Config;
use crate::home::{Home, ValidatorKeys};
use salus_client::Identity;
use salus_genesis::Genesis;
use salus_types::{AdminKeys, Hash, MEMBER_NAME_LENGTH_MAX, MemberCard};
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct InitArguments {
    /// The folder to write; it must not exist yet, or be empty.
    #[arg(long, env = "SALUS_HOME", value_name = "DIR")]
    home: PathBuf,
    /// The hospital's name, as the others will see it.
    #[arg(long)]
    name: String,
    /// The network's agreement, as any member has it.
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// Public interface of a present member, asked at each start who the members are now; may be given several times.
    #[arg(long = "join", value_name = "URL", required = true)]
    join: Vec<String>,
    /// A multiaddress under which the others reach this validator, such as /dns4/elm.example/tcp/8600; up to four.
    #[arg(long = "address", value_name = "MULTIADDR", required = true)]
    addresses: Vec<String>,
    /// A multiaddress to listen on for the others.
    #[arg(long, value_name = "MULTIADDR", default_value = "/ip4/0.0.0.0/tcp/8600")]
    listen: String,
    /// Address and port of the public interface.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8700")]
    api: SocketAddr,
    /// Write the passphrase beside the keys (mode 0600), so that the validator starts unattended.
    #[arg(long)]
    keep_passphrase: bool,
}

pub(crate) fn run(arguments: &InitArguments, output: Output) -> Result<(), CliError> {
    let home = Home::new(&arguments.home);
    let occupied = std::fs::read_dir(home.path()).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        let shown = home.path().display();
        return Err(CliError::Usage(format!(
            "{shown} is not empty: choose another folder"
        )));
    }
    if arguments.name.is_empty() || arguments.name.len() > MEMBER_NAME_LENGTH_MAX {
        let message = format!("a name has 1 to {MEMBER_NAME_LENGTH_MAX} bytes");
        return Err(CliError::Usage(message));
    }
    let text = std::fs::read_to_string(&arguments.genesis)
        .map_err(|error| CliError::file(&arguments.genesis, error))?;
    let genesis = Genesis::from_toml(&text).map_err(|error| CliError::file(&arguments.genesis, error))?;
    genesis
        .check_gas_table(&Hash::new(salus_runtime::gas_table_hash()))
        .map_err(|error| CliError::file(&arguments.genesis, error))?;
    let passphrase = person::passphrase("Choose a passphrase: ")?;
    let validator = Identity::from_seed(&crate::random_bytes());
    let admin = Identity::from_seed(&crate::random_bytes());
    let card = sign_card(arguments, &validator, &admin, &genesis);
    let card =
        card::to_toml(&card, &genesis.chain_id()).map_err(|error| CliError::Usage(error.to_string()))?;

    let (admin_file, card_file) = (home.path().join("admin.key"), home.path().join("card.toml"));
    write_keystore(&home.key_file(), &validator, &passphrase)?;
    write_keystore(&admin_file, &admin, &passphrase)?;
    if arguments.keep_passphrase {
        write(&home, &home.passphrase_file(), passphrase.as_bytes())?;
    }
    write(&home, &home.genesis(), text.as_bytes())?;
    let config = configuration(arguments).to_commented_toml();
    write(&home, &home.config(), config.as_bytes())?;
    write(&home, &card_file, card.as_bytes())?;
    told(&home, (&card_file, &admin_file), &genesis, output);
    Ok(())
}

fn told(home: &Home, (card, admin): (&Path, &Path), genesis: &Genesis, output: Output) {
    let (shown, card, admin) = (home.path().display(), card.display(), admin.display());
    let network = &genesis.agreement().name;
    let rows = table(&[
        ("network", network.clone()),
        ("folder", shown.to_string()),
        ("card", card.to_string()),
        ("admin's keys", admin.to_string()),
    ]);
    let text = format!(
        "{rows}\n\nHand the card to an operator of a member, who proposes it:\n  salus member propose add --card {card}\n\
         Start the validator; it waits until the members have voted:\n  salus start --home {shown}"
    );
    output.result(
        &text,
        &json!({
            "network": network,
            "home": shown.to_string(),
            "card": card.to_string(),
            "admin_key": admin.to_string(),
        }),
    );
}

fn sign_card(
    arguments: &InitArguments,
    validator: &Identity,
    admin: &Identity,
    genesis: &Genesis,
) -> MemberCard {
    let secrets = ValidatorKeys::from_seed(&validator.signing().seed());
    let keys = secrets.public();
    let admin = admin.public();
    let admin = AdminKeys {
        signing: admin.signing_key,
        encryption: *admin.encryption_key.as_bytes(),
    };
    let pair = (&secrets.consensus, &secrets.network);
    MemberCard {
        name: arguments.name.clone(),
        keys,
        admin,
        addresses: arguments.addresses.clone(),
        proof: keys.prove(&arguments.name, Some(&admin), pair, &genesis.chain_id()),
    }
}

fn configuration(arguments: &InitArguments) -> Config {
    let mut config = Config::default();
    config.api.listen = arguments.api;
    config.network.listen = vec![arguments.listen.clone()];
    config.join.nodes.clone_from(&arguments.join);
    config
}

fn write(home: &Home, path: &Path, content: &[u8]) -> Result<(), CliError> {
    home.write_private(path, content)
        .map_err(|error| CliError::Usage(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_folder_is_made_for_a_network_that_counts_gas_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let (home, genesis) = (folder.path().join("home"), folder.path().join("genesis.toml"));
        let own = Hash::new(salus_runtime::gas_table_hash());
        let other = Hash::of_content(b"another gas table");
        let text = include_str!("../../../genesis/networks/example.toml");
        std::fs::write(&genesis, text.replace(&own.to_string(), &other.to_string())).unwrap();
        let arguments = InitArguments {
            home: home.clone(),
            name: "elm".into(),
            genesis,
            join: vec!["http://127.0.0.1:8700".into()],
            addresses: vec!["/ip4/127.0.0.1/tcp/8600".into()],
            listen: "/ip4/127.0.0.1/tcp/8600".into(),
            api: ([127, 0, 0, 1], 8700).into(),
            keep_passphrase: false,
        };
        let refused = run(&arguments, Output { json: false }).unwrap_err().to_string();
        assert!(refused.contains("counts gas by table"), "{refused}");
        assert!(!home.exists());
    }
}
