//! Contracts on a running network: storing, voting, enacting, calling, asking.

use crate::cli::CliError;
use crate::cli::member::vote;
use crate::cli::output::{Output, table};
use crate::cli::person::PersonArguments;
use crate::session::Session;
use clap::Subcommand;
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use salus_client::utc_text;
use salus_runtime::custom_section;
use salus_types::abi::access::{RecordClass, RegisterRule, RuleScope};
use salus_types::abi::schema::SECTION;
use salus_types::{
    CODE_BYTES_MAX, CODE_PART_BYTES, CONTRACT_ARGUMENT_BYTES_MAX, Change, CodeHashes, CodePart, CodeUpload,
    ContractCall, ContractChange, ContractId, EnactedChange, Hash, Height, ProposalId, SystemCall,
};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

/// For how many heights a proposal stays open.
const OPEN_HEIGHTS: u64 = 10_000;
/// Bytes of a build manifest that are read, at most.
const MANIFEST_BYTES_MAX: usize = 1 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum NetworkCommand {
    /// Upload an artefact, and propose to approve it if a manifest is given. For admins and operators; proposing for operators.
    Deploy {
        /// The WebAssembly.
        wasm: PathBuf,
        /// The build manifest. Members vote on its hash too, so that each can build the same code.
        #[arg(long, value_name = "FILE")]
        manifest: Option<PathBuf>,
    },
    /// Propose to approve code that was uploaded before. For operators.
    Propose {
        /// The WebAssembly, of which only the hashes are sent.
        wasm: PathBuf,
        /// The build manifest.
        #[arg(long, value_name = "FILE")]
        manifest: PathBuf,
    },
    /// Vote on a proposal. For operators; each member has one voice.
    Vote {
        /// The proposal's number, as `salus contract list` shows it.
        proposal: u32,
        /// Take an approval back; also while the timelock runs.
        #[arg(long)]
        withdraw: bool,
    },
    /// Carry out a change that has passed and whose timelock is over. For operators.
    Enact {
        /// The proposal's number.
        proposal: u32,
    },
    /// Make a contract of approved code. For admins and operators.
    Instantiate {
        /// BLAKE3 of the code, as `deploy` showed it.
        code: Hash,
        #[command(flatten)]
        argument: Argument,
    },
    /// Propose other code for a contract, which takes its state over; the code is uploaded if it is not on the chain. For operators.
    Migrate {
        /// The contract's number.
        contract: u32,
        /// The WebAssembly.
        wasm: PathBuf,
        /// The build manifest.
        #[arg(long, value_name = "FILE")]
        manifest: PathBuf,
        #[command(flatten)]
        argument: Argument,
    },
    /// Propose that a contract answers nothing any more. A few votes suffice, without a timelock. For operators.
    Freeze {
        /// The contract's number.
        contract: u32,
    },
    /// Propose that a frozen contract answers again. For operators.
    Unfreeze {
        /// The contract's number.
        contract: u32,
    },
    /// Add a rule of one's own hospital, or remove it. For its admins; nobody votes.
    Register {
        /// The rule's number.
        contract: u32,
        /// Remove it instead.
        #[arg(long)]
        remove: bool,
    },
    /// Propose a rule for all hospitals, or its removal. For operators.
    Rule {
        /// The rule's number.
        contract: u32,
        /// Only for requests of records of this class.
        #[arg(long, value_parser = class_argument)]
        class: Option<RecordClass>,
        /// Remove it instead.
        #[arg(long)]
        remove: bool,
    },
    /// Send a transaction to an entry of a contract.
    Call {
        /// The contract's number.
        contract: u32,
        /// The entry's number.
        entry: u8,
        #[command(flatten)]
        argument: Argument,
    },
    /// Ask an entry of a contract, on the state after the last block.
    Query {
        /// The contract's number.
        contract: u32,
        /// The entry's number.
        entry: u8,
        #[command(flatten)]
        argument: Argument,
    },
    /// Show all contracts, and what is proposed about them.
    List,
    /// Show a contract.
    Show {
        /// Its number.
        contract: u32,
    },
}

/// What a contract's entry gets.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Argument {
    /// The argument's canonical bytes, hexadecimal; none if not given.
    #[arg(long, value_name = "HEX", conflicts_with = "argument_file")]
    argument: Option<String>,
    /// The same from a file, raw.
    #[arg(long, value_name = "FILE")]
    argument_file: Option<PathBuf>,
}

impl Argument {
    fn bytes(&self) -> Result<Vec<u8>, CliError> {
        let hex = self.argument.as_deref().unwrap_or_default();
        match &self.argument_file {
            Some(path) => read(path, CONTRACT_ARGUMENT_BYTES_MAX),
            None => HEXLOWER_PERMISSIVE
                .decode(hex.as_bytes())
                .map_err(|_| CliError::Usage("--argument is canonical bytes in hexadecimal".into())),
        }
    }
}

fn class_argument(text: &str) -> Result<RecordClass, String> {
    let class = RecordClass::ALL.into_iter().find(|class| class.name() == text);
    class.ok_or_else(|| format!("one of {}", RecordClass::ALL.map(RecordClass::name).join(", ")))
}

pub(crate) async fn run(
    person: &PersonArguments,
    command: NetworkCommand,
    output: Output,
) -> Result<(), CliError> {
    use NetworkCommand as C;
    let number = ContractId::new;
    match command {
        C::List => list(person, output).await,
        C::Show { contract } => show(person, contract, output).await,
        C::Query {
            contract,
            entry,
            argument,
        } => query(person, contract, entry, &argument.bytes()?, output).await,
        C::Deploy { wasm, manifest } => {
            let code = Code::read(&wasm, manifest.as_deref())?;
            deploy(&person.session().await?, &code, output).await
        }
        C::Propose { wasm, manifest } => {
            let hashes = Code::read(&wasm, Some(&manifest))?.hashes()?;
            propose(person, ContractChange::Approve(hashes), output).await
        }
        C::Vote { proposal, withdraw } => {
            let call = SystemCall::Vote {
                proposal: ProposalId::new(proposal),
                approve: !withdraw,
            };
            vote(&person.session().await?, call, output).await
        }
        C::Enact { proposal } => enact(&person.session().await?, ProposalId::new(proposal), output).await,
        C::Instantiate { code, argument } => {
            instantiate(&person.session().await?, code, argument.bytes()?, output).await
        }
        C::Migrate {
            contract,
            wasm,
            manifest,
            argument,
        } => {
            let code = Code::read(&wasm, Some(&manifest))?;
            migrate(person, contract, &code, argument.bytes()?, output).await
        }
        C::Freeze { contract } => propose(person, ContractChange::Freeze(number(contract)), output).await,
        C::Unfreeze { contract } => propose(person, ContractChange::Unfreeze(number(contract)), output).await,
        C::Register { contract, remove } => {
            register(&person.session().await?, contract, remove, output).await
        }
        C::Rule {
            contract,
            class,
            remove,
        } => {
            let register = RegisterRule {
                scope: class.map_or(RuleScope::Everywhere, RuleScope::Class),
                rule: number(contract),
                remove,
            };
            propose(person, ContractChange::RegisterRule(register), output).await
        }
        C::Call {
            contract,
            entry,
            argument,
        } => {
            call(
                &person.session().await?,
                contract,
                entry,
                argument.bytes()?,
                output,
            )
            .await
        }
    }
}

/// An artefact, and the manifest of its build.
struct Code {
    wasm: Vec<u8>,
    manifest: Option<Hash>,
}

impl Code {
    fn read(wasm: &Path, manifest: Option<&Path>) -> Result<Self, CliError> {
        let manifest = manifest.map(|path| read(path, MANIFEST_BYTES_MAX)).transpose()?;
        Ok(Self {
            wasm: read(wasm, CODE_BYTES_MAX)?,
            manifest: manifest.map(|manifest| Hash::of_content(&manifest)),
        })
    }

    fn hash(&self) -> Hash {
        Hash::of_content(&self.wasm)
    }

    fn hashes(&self) -> Result<CodeHashes, CliError> {
        let manifest = self.manifest;
        Ok(CodeHashes {
            wasm: self.hash(),
            schema: custom_section(&self.wasm, SECTION).map(Hash::of_content),
            manifest: manifest
                .ok_or_else(|| CliError::Usage("members vote on a build manifest: --manifest".into()))?,
        })
    }

    /// Uploads it, unless it is on the chain already.
    async fn store(&self, session: &Session, output: Output) -> Result<(), CliError> {
        let code_hash = self.hash();
        let path = format!("/v1/code/{code_hash}");
        if session.remote().get::<Value>(&path).await.is_ok() {
            output.note("This code is on the chain already.");
            return Ok(());
        }
        let length = u32::try_from(self.wasm.len()).unwrap_or(u32::MAX);
        for (part, bytes) in (0..).zip(self.wasm.chunks(CODE_PART_BYTES)) {
            let part = CodePart {
                code_hash,
                length,
                part,
                bytes: bytes.to_vec(),
            };
            let call = SystemCall::Contract(ContractCall::StoreCode(part));
            let (receipt, _) = session.system(call).await?;
            let upload: CodeUpload = receipt.output()?;
            output.note(&format!("stored {} of {} bytes", upload.received, upload.length));
        }
        Ok(())
    }
}

fn read(path: &Path, most: usize) -> Result<Vec<u8>, CliError> {
    let file = std::fs::File::open(path).map_err(|error| CliError::file(path, error))?;
    let mut bytes = Vec::new();
    file.take(most as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| CliError::file(path, error))?;
    if bytes.len() > most {
        return Err(CliError::file(path, format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

async fn deploy(session: &Session, code: &Code, output: Output) -> Result<(), CliError> {
    code.store(session, output).await?;
    if code.manifest.is_some() {
        return send_proposal(session, ContractChange::Approve(code.hashes()?), output).await;
    }
    let code_hash = code.hash().to_string();
    let text = table(&[
        ("code", code_hash.clone()),
        ("next", "salus contract propose, by an operator".into()),
    ]);
    output.result(&text, &json!({ "code_hash": code_hash }));
    Ok(())
}

async fn propose(person: &PersonArguments, change: ContractChange, output: Output) -> Result<(), CliError> {
    send_proposal(&person.session().await?, change, output).await
}

async fn send_proposal(session: &Session, change: ContractChange, output: Output) -> Result<(), CliError> {
    let height = session.remote().status().await?.height;
    let call = SystemCall::Propose {
        change: Change::Contract(change),
        expires: Height::new(height.saturating_add(OPEN_HEIGHTS)),
    };
    vote(session, call, output).await
}

async fn migrate(
    person: &PersonArguments,
    contract: u32,
    code: &Code,
    argument: Vec<u8>,
    output: Output,
) -> Result<(), CliError> {
    let session = person.session().await?;
    let info: Value = session.remote().get(&format!("/v1/contracts/{contract}")).await?;
    let version = info["state_version"].as_u64().unwrap_or_default();
    code.store(&session, output).await?;
    let change = ContractChange::Migrate {
        contract: ContractId::new(contract),
        code: code.hashes()?,
        state_version: u32::try_from(version.saturating_add(1)).unwrap_or(u32::MAX),
        argument,
    };
    send_proposal(&session, change, output).await
}

async fn enact(session: &Session, proposal: ProposalId, output: Output) -> Result<(), CliError> {
    let call = SystemCall::Contract(ContractCall::Enact { proposal });
    let (receipt, height) = session.system(call).await?;
    let (text, mut value) = match receipt.output::<EnactedChange>()? {
        EnactedChange::Approved { code_hash } => (
            format!("code {code_hash} is approved"),
            json!({ "code_hash": code_hash.to_string() }),
        ),
        EnactedChange::Migrated {
            contract,
            state_version,
        } => (
            format!("contract {} has its new code", contract.get()),
            json!({ "contract": contract.get(), "state_version": state_version }),
        ),
        EnactedChange::RuleRegistered(RegisterRule { rule, remove, .. }) => (
            format!(
                "rule {} is {}",
                rule.get(),
                if remove { "removed" } else { "registered" }
            ),
            json!({ "rule": rule.get(), "remove": remove }),
        ),
    };
    value["height"] = height.get().into();
    output.result(&format!("{text} in block {height}"), &value);
    Ok(())
}

async fn instantiate(
    session: &Session,
    code_hash: Hash,
    argument: Vec<u8>,
    output: Output,
) -> Result<(), CliError> {
    let call = SystemCall::Contract(ContractCall::Instantiate { code_hash, argument });
    let (receipt, height) = session.system(call).await?;
    let contract: ContractId = receipt.output()?;
    output.result(
        &table(&[
            ("contract", contract.get().to_string()),
            ("block", height.to_string()),
        ]),
        &json!({ "contract": contract.get(), "height": height.get() }),
    );
    Ok(())
}

async fn register(session: &Session, rule: u32, remove: bool, output: Output) -> Result<(), CliError> {
    let scope = RuleScope::Organisation(session.organisation().await?);
    let rule = ContractId::new(rule);
    let (_, height) = session
        .send_successfully(|signer, terms| signer.register_rule(scope, rule, remove, terms))
        .await?;
    let done = if remove { "removed" } else { "registered" };
    output.result(
        &format!("{done} in block {height}"),
        &json!({ "rule": rule.get(), "remove": remove, "height": height.get() }),
    );
    Ok(())
}

async fn call(
    session: &Session,
    contract: u32,
    entry: u8,
    input: Vec<u8>,
    output: Output,
) -> Result<(), CliError> {
    let contract = ContractId::new(contract);
    let (receipt, height) = session
        .send_successfully(|signer, terms| signer.call_encoded(contract, entry, input.clone(), terms))
        .await?;
    let answer = HEXLOWER.encode(&receipt.output_bytes()?);
    output.result(
        &table(&[("output", answer.clone()), ("block", height.to_string())]),
        &json!({ "output": answer, "height": height.get(), "gas_used": receipt.gas_used }),
    );
    Ok(())
}

async fn query(
    person: &PersonArguments,
    contract: u32,
    entry: u8,
    input: &[u8],
    output: Output,
) -> Result<(), CliError> {
    let answer = person.node.remote()?.ask(contract, entry, input).await?;
    let bytes = BASE64
        .decode(answer["output"].as_str().unwrap_or_default().as_bytes())
        .unwrap_or_default();
    let text = HEXLOWER.encode(&bytes);
    output.result(
        &table(&[("output", text.clone()), ("height", answer["height"].to_string())]),
        &json!({ "output": text, "height": answer["height"], "gas_used": answer["gas_used"] }),
    );
    Ok(())
}

async fn list(person: &PersonArguments, output: Output) -> Result<(), CliError> {
    let remote = person.node.remote()?;
    let contracts: Value = remote.get("/v1/contracts").await?;
    let mut proposals: Value = remote.get("/v1/proposals").await?;
    let empty = Vec::new();
    let mut lines = Vec::new();
    for contract in contracts["contracts"].as_array().unwrap_or(&empty) {
        let frozen = if contract["frozen"] == true {
            "  frozen"
        } else {
            ""
        };
        lines.push(format!(
            "contract {:<4} version {:<3} code {}{frozen}",
            contract["contract"],
            contract["state_version"],
            plain(&contract["code_hash"]),
        ));
    }
    if let Some(rows) = proposals["proposals"].as_array_mut() {
        rows.retain(|row| !row["contract"].is_null());
        lines.extend(rows.iter().map(proposal_line));
    }
    let value = json!({ "contracts": contracts["contracts"], "proposals": proposals["proposals"] });
    output.result(&lines.join("\n"), &value);
    Ok(())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn proposal_line(proposal: &Value) -> String {
    let change = &proposal["contract"];
    let what = match plain(&change["kind"]).as_str() {
        "approve" => format!("approve code {}", plain(&change["code_hash"])),
        "register_rule" if change["remove"] == true => {
            format!("remove rule {} ({})", change["contract"], plain(&change["scope"]))
        }
        "register_rule" => format!("rule {} ({})", change["contract"], plain(&change["scope"])),
        "migrate" => format!(
            "migrate contract {} to code {}",
            change["contract"],
            plain(&change["code_hash"])
        ),
        kind => format!("{kind} contract {}", change["contract"]),
    };
    let state = match proposal["ready_ms"].as_u64() {
        Some(ready) => format!("can be enacted from {}", utc_text(ready)),
        None => format!("until block {}", proposal["expires"]),
    };
    format!(
        "proposal {}: {what}; approved by {}, {} needed; {state}",
        proposal["id"], proposal["approvals"], proposal["needed"]
    )
}

async fn show(person: &PersonArguments, contract: u32, output: Output) -> Result<(), CliError> {
    let info: Value = person
        .node
        .remote()?
        .get(&format!("/v1/contracts/{contract}"))
        .await?;
    let rows = [
        "contract",
        "code_hash",
        "code_length",
        "state_version",
        "frozen",
        "founder",
        "height",
    ]
    .map(|name| (name, plain(&info[name])));
    output.result(&table(&rows), &info);
    Ok(())
}
