//! Hospitals that join a running network, and members that leave it.

use super::{Network, NetworkError, Node, StaffRow, configure, spawn, system};
use crate::people::identity;
use salus::card;
use salus::remote::Remote;
use salus::session::Session;
use salus_client::keystore::{self, Randomness};
use salus_client::{Identity, Signer};
use salus_types::abi::registry::Role;
use salus_types::{
    Change, Height, MemberChange, MemberId, PassedChange, PrincipalId, ProposalOutcome, SystemCall,
};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// For how many heights the proposals made here stay open.
const OPEN_HEIGHTS: u64 = 1_000;
/// Numbers of the invented people that are newcomers' operators: far from those that tests use.
const OPERATORS_FROM: u32 = 0x4000_0000;

impl Network {
    /// A hospital makes keys and a card, starts its validator, is voted in by the operators of the present members, and
    /// registers its own operator. Gives the number of its validator, which is the number of its member, once that has
    /// caught up.
    ///
    /// # Errors
    ///
    /// When a step is refused, or the newcomer is not ready in time.
    pub async fn add_validator(&mut self) -> Result<usize, NetworkError> {
        let number = self.nodes.len();
        let node = self.write_newcomer(number)?;
        let text = fs::read_to_string(node.home.join("card.toml")).map_err(system("card.toml"))?;
        let card = card::from_toml(&text, &self.chain)
            .map_err(|error| NetworkError::Membership(error.to_string()))?;
        *node.process() = Some(spawn(&self.binary, &node)?);
        let admin_file = node.home.join("admin.key");
        self.nodes.push(node);
        let change = Change::Member(MemberChange::Add(Box::new(card)));
        match self.vote_through(change).await? {
            PassedChange::Added { member, admin } if usize::from(member.get()) == number => {
                self.wait_ready(number).await?;
                self.add_operator(member, admin, &admin_file).await?;
                Ok(number)
            }
            other => Err(NetworkError::Membership(format!(
                "validator {number} became {other:?}"
            ))),
        }
    }

    /// The operators of the present members vote a member out. Its validator runs on.
    ///
    /// # Errors
    ///
    /// When the chain refuses.
    pub async fn remove_member(&mut self, member: u16) -> Result<(), NetworkError> {
        self.vote_through(Change::Member(MemberChange::Remove(MemberId::new(member))))
            .await?;
        self.removed.insert(member);
        Ok(())
    }

    /// Proposes and approves, by the operators of as many present members as it takes.
    ///
    /// # Errors
    ///
    /// When the chain refuses, or there are not enough operators.
    pub async fn vote_through(&self, change: Change) -> Result<PassedChange, NetworkError> {
        let mut proposal = None;
        for member in 0..u16::try_from(self.nodes.len()).unwrap_or(u16::MAX) {
            let known = self
                .staff
                .iter()
                .any(|row| row.role == "operator" && row.member == member);
            if !known || self.removed.contains(&member) {
                continue;
            }
            let session = self.session(0, self.staff("operator", member)?)?;
            let height = session.remote().status().await?.height;
            let call = match proposal {
                None => SystemCall::Propose {
                    change: change.clone(),
                    expires: Height::new(height.saturating_add(OPEN_HEIGHTS)),
                },
                Some(proposal) => SystemCall::Vote {
                    proposal,
                    approve: true,
                },
            };
            let (receipt, _) = session.system(call).await?;
            let outcome: ProposalOutcome = receipt.output()?;
            proposal = Some(outcome.proposal);
            if let Some(passed) = outcome.passed {
                return Ok(passed);
            }
        }
        Err(NetworkError::Membership(
            "too few operators to pass a change".into(),
        ))
    }

    /// A founder's operator gives its validator new keys, in its folder and on the chain. The running process keeps the old
    /// ones until it is started again.
    ///
    /// # Errors
    ///
    /// When the command fails.
    pub fn rotate_keys(&self, validator: usize) -> Result<(), NetworkError> {
        let node = self.node(validator)?;
        let operator = self
            .staff
            .iter()
            .find(|row| row.role == "operator" && usize::from(row.member) == validator);
        let operator = operator.ok_or_else(|| NetworkError::Unknown(format!("operator {validator}")))?;
        let mut command = Command::new(&self.binary);
        command
            .env("SALUS_PASSPHRASE", &self.passphrase)
            .args(["--json", "member", "rotate", "--node", node.remote.base(), "--as"])
            .arg(operator.number.to_string())
            .arg("--key")
            .arg(&operator.key)
            .arg("--home")
            .arg(&node.home);
        self.complete(command)
    }

    fn complete(&self, mut command: Command) -> Result<(), NetworkError> {
        let output = command
            .stdin(Stdio::null())
            .output()
            .map_err(system(self.binary.display()))?;
        if output.status.success() {
            return Ok(());
        }
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(NetworkError::Membership(complaint))
    }

    fn write_newcomer(&self, number: usize) -> Result<Node, NetworkError> {
        let first = self.node(0)?;
        let home = self.folder.path().join(format!("node{number}"));
        let [api, network] = free_ports()?;
        let address = format!("/ip4/127.0.0.1/tcp/{network}");
        let mut command = Command::new(&self.binary);
        command
            .env("SALUS_PASSPHRASE", &self.passphrase)
            .args(["--json", "init", "--keep-passphrase", "--name"])
            .arg(format!("Newcomer {number}"))
            .arg("--home")
            .arg(&home)
            .arg("--genesis")
            .arg(first.home.join("genesis.toml"))
            .args([
                "--join",
                first.remote.base(),
                "--address",
                &address,
                "--listen",
                &address,
            ])
            .arg("--api")
            .arg(format!("127.0.0.1:{api}"));
        self.complete(command)?;
        configure(&home, &self.options)?;
        copy_contracts(&first.home, &home)?;
        Ok(Node {
            remote: Remote::new(&format!("http://127.0.0.1:{api}"))?,
            log: home.with_extension("log"),
            home,
            process: Mutex::default(),
        })
    }

    /// The newcomer's admin, whom the chain has registered, registers an operator.
    async fn add_operator(
        &mut self,
        member: MemberId,
        admin: PrincipalId,
        admin_file: &Path,
    ) -> Result<(), NetworkError> {
        let keystore_error = |error: keystore::KeystoreError| NetworkError::Keystore {
            path: admin_file.to_owned(),
            error: error.to_string(),
        };
        let file = fs::read(admin_file).map_err(system(admin_file.display()))?;
        let admin_keys = keystore::decrypt(&file, &self.passphrase).map_err(keystore_error)?;
        let session = Session::new(
            self.remote(usize::from(member.get()))?,
            Signer::new(self.chain, admin, admin_keys),
        );
        let operator: Identity = identity(OPERATORS_FROM.saturating_add(member.get().into()));
        let keys = operator.public();
        let (receipt, _) = session
            .send_successfully(|signer, terms| signer.add_user(&keys, Role::Operator, None, terms))
            .await?;
        let number: PrincipalId = receipt.output()?;
        let key = self
            .folder
            .path()
            .join(format!("people/operator{}.key", member.get()));
        let randomness = Randomness {
            salt: [1; 16],
            nonce: [2; 12],
        };
        let sealed = keystore::encrypt(&operator, &self.passphrase, randomness).map_err(keystore_error)?;
        fs::write(&key, sealed).map_err(system(key.display()))?;
        self.staff.push(StaffRow {
            number: number.get(),
            role: "operator".into(),
            member: member.get(),
            key,
        });
        Ok(())
    }
}

/// Code of contracts that does not ship with the program.
fn copy_contracts(from: &Path, to: &Path) -> Result<(), NetworkError> {
    let Ok(entries) = fs::read_dir(from.join("contracts")) else {
        return Ok(());
    };
    let folder = to.join("contracts");
    fs::create_dir_all(&folder).map_err(system(folder.display()))?;
    for entry in entries {
        let entry = entry.map_err(system("contracts"))?;
        let target = folder.join(entry.file_name());
        fs::copy(entry.path(), &target).map_err(system(target.display()))?;
    }
    Ok(())
}

/// Two ports that are free now, held together until both are known.
fn free_ports() -> Result<[u16; 2], NetworkError> {
    let bind = || TcpListener::bind(("127.0.0.1", 0)).map_err(system("a free port"));
    let (first, second) = (bind()?, bind()?);
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    Ok([
        port(&first).map_err(system("a free port"))?,
        port(&second).map_err(system("a free port"))?,
    ])
}
