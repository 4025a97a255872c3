//! Validators as processes.

mod growth;

use crate::binary::{BinaryError, salus_binary};
use salus::config::{Config, ConfigError};
use salus::remote::{Remote, RemoteError};
use salus::session::SessionError;
use salus_client::{Identity, Signer, keystore};
use salus_genesis::{FoundingContract, Genesis, GenesisError};
use salus_types::{ChainId, Hash, PrincipalId};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// How often something that is waited for is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(25);
/// Bytes of a validator's log that an error shows, at most.
const LOG_TAIL_BYTES: u64 = 3_000;

/// How a test network is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many validators, 1 to 31.
    pub validators: u16,
    /// k, shares that open a block; `None` for n - 2f.
    pub threshold: Option<u16>,
    /// S, shares dealt of a block; `None` for the power of two of at least twice the validators.
    pub slots: Option<u16>,
    /// WebAssembly of contracts besides the registry (1) and the access contract (2); they get the numbers from 3 on.
    pub contracts: Vec<Vec<u8>>,
    /// Where the network's temporary folder is made; `None` for the system's folder for temporary files.
    pub parent: Option<PathBuf>,
    /// What the validators log instead of what they log by default.
    pub log_filter: Option<String>,
    /// A snapshot is written at every height that is a multiple of this, instead of what is so by default.
    pub snapshot_interval_blocks: Option<u64>,
    /// How many blocks behind a validator looks for a snapshot, instead of what is so by default.
    pub snapshot_behind_blocks: Option<u64>,
    /// Least time between two blocks while there is work, instead of what is so by default.
    pub block_interval_ms: Option<u64>,
    /// How long a proposal may take before the next validator proposes, instead of what is so by default.
    pub propose_timeout_ms: Option<u64>,
    /// Whether blocks are opened against tickets of the access contract only.
    pub ticket_to_open: bool,
    /// How long changes of contracts wait after their votes, instead of what is so by default.
    pub timelock_s: Option<u64>,
    /// How long until all validators must be ready.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            validators: 4,
            threshold: None,
            slots: None,
            contracts: Vec::new(),
            parent: None,
            log_filter: None,
            snapshot_interval_blocks: None,
            snapshot_behind_blocks: None,
            block_interval_ms: None,
            propose_timeout_ms: None,
            ticket_to_open: false,
            timelock_s: None,
            patience: Duration::from_secs(60),
        }
    }
}

/// Why a network does not run or does not do what it is waited for.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The program under test.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// A file, a folder or a process.
    #[error("{what}: {error}")]
    System {
        /// What was touched.
        what: String,
        /// What the system says.
        error: io::Error,
    },
    /// `salus testnet` failed.
    #[error("`salus testnet` failed: {0}")]
    Testnet(String),
    /// The network's agreement could not be changed.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A validator's configuration could not be changed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A keystore does not open.
    #[error("{path}: {error}")]
    Keystore {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// A validator refused, or its answer makes no sense.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// Somebody working with a validator.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A hospital could not join or leave.
    #[error("the members could not be changed: {0}")]
    Membership(String),
    /// There is no such validator, or no such member of the staff.
    #[error("this network has no {0}")]
    Unknown(String),
    /// Something that was waited for did not happen.
    #[error("not within {} s: {what}\n{logs}", .limit.as_secs())]
    TooLate {
        /// What was waited for.
        what: String,
        /// For how long.
        limit: Duration,
        /// The last lines of the validators' logs.
        logs: String,
    },
    /// A validator's process ended by itself.
    #[error("validator {validator} ended by itself ({status})\n{logs}")]
    Ended {
        /// Which validator.
        validator: usize,
        /// How it ended.
        status: String,
        /// The last lines of its log.
        logs: String,
    },
}

fn system(what: impl ToString) -> impl FnOnce(io::Error) -> NetworkError {
    let what = what.to_string();
    move |error| NetworkError::System { what, error }
}

/// What `salus testnet --json` prints.
#[derive(Debug, Deserialize)]
struct Layout {
    homes: Vec<PathBuf>,
    nodes: Vec<String>,
    people: Vec<StaffRow>,
}

/// A member of a hospital's staff with which the network starts.
#[derive(Clone, Debug, Deserialize)]
struct StaffRow {
    number: u32,
    role: String,
    member: u16,
    key: PathBuf,
}

/// A test network in a temporary folder. Dropping it kills its validators and removes the folder.
#[derive(Debug)]
pub struct Network {
    nodes: Vec<Node>,
    staff: Vec<StaffRow>,
    /// Members that were voted out.
    removed: BTreeSet<u16>,
    passphrase: String,
    options: Options,
    binary: PathBuf,
    chain: ChainId,
    patience: Duration,
    // Dropped last: the validators write into it.
    folder: TempDir,
}

#[derive(Debug)]
struct Node {
    home: PathBuf,
    remote: Remote,
    log: PathBuf,
    /// Behind a lock only so that looking whether it still runs, which reaps it if not, needs no `&mut`.
    process: Mutex<Option<Child>>,
}

impl Node {
    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Network {
    /// Writes a network, starts its validators, and waits until all are ready and connected to one another.
    ///
    /// # Errors
    ///
    /// When the binary can't be found or built, a validator ends by itself, or they are not ready in time.
    pub async fn start(options: Options) -> Result<Self, NetworkError> {
        let binary = salus_binary()?;
        let network = Self::write(binary, &options)?;
        network.launch_all()?;
        network.wait_all_ready().await?;
        Ok(network)
    }

    fn write(binary: PathBuf, options: &Options) -> Result<Self, NetworkError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("salus-network-");
        let folder = match &options.parent {
            Some(parent) => builder.tempdir_in(parent),
            None => builder.tempdir(),
        };
        let folder = folder.map_err(system("a temporary folder"))?;
        let layout = testnet(&binary, folder.path(), options)?;
        let genesis = add_contracts(&layout.homes, &options.contracts)?;
        for home in &layout.homes {
            configure(home, options)?;
        }
        let file = folder.path().join("people").join("passphrase");
        let passphrase = fs::read_to_string(&file)
            .map_err(system(file.display()))?
            .trim_end()
            .to_owned();
        let node = |(home, url): (PathBuf, String)| -> Result<Node, NetworkError> {
            let log = home.with_extension("log");
            Ok(Node {
                remote: Remote::new(&url)?,
                home,
                log,
                process: Mutex::default(),
            })
        };
        let nodes = layout
            .homes
            .into_iter()
            .zip(layout.nodes)
            .map(node)
            .collect::<Result<_, _>>()?;
        let (chain, patience) = (genesis.chain_id(), options.patience);
        Ok(Self {
            nodes,
            staff: layout.people,
            removed: BTreeSet::new(),
            passphrase,
            options: options.clone(),
            binary,
            chain,
            patience,
            folder,
        })
    }

    /// How many validators it has, running or not.
    pub fn validators(&self) -> usize {
        self.nodes.len()
    }

    /// The network's id.
    pub fn chain(&self) -> ChainId {
        self.chain
    }

    /// The network's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A validator's folder.
    ///
    /// # Errors
    ///
    /// When there is no such validator.
    pub fn home(&self, validator: usize) -> Result<&Path, NetworkError> {
        Ok(&self.node(validator)?.home)
    }

    /// A validator's public interface.
    ///
    /// # Errors
    ///
    /// When there is no such validator.
    pub fn remote(&self, validator: usize) -> Result<Remote, NetworkError> {
        Ok(self.node(validator)?.remote.clone())
    }

    /// The operating system's numbers of the processes that run, in the order of their validators.
    pub fn processes(&self) -> Vec<u32> {
        self.nodes
            .iter()
            .filter_map(|node| Some(node.process().as_ref()?.id()))
            .collect()
    }

    /// A member of a hospital's staff: `admin`, `manager` or `operator`.
    ///
    /// # Errors
    ///
    /// When there is no such person, or the keystore does not open.
    pub fn staff(&self, role: &str, member: u16) -> Result<Signer, NetworkError> {
        let found = self
            .staff
            .iter()
            .find(|row| row.role == role && row.member == member);
        let row = found.ok_or_else(|| NetworkError::Unknown(format!("{role} of member {member}")))?;
        let file = fs::read(&row.key).map_err(system(row.key.display()))?;
        let identity: Identity =
            keystore::decrypt(&file, &self.passphrase).map_err(|error| NetworkError::Keystore {
                path: row.key.clone(),
                error: error.to_string(),
            })?;
        Ok(Signer::new(self.chain, PrincipalId::new(row.number), identity))
    }

    fn node(&self, validator: usize) -> Result<&Node, NetworkError> {
        self.nodes
            .get(validator)
            .ok_or_else(|| NetworkError::Unknown(format!("validator {validator}")))
    }

    /// Starts a validator that does not run; returns at once.
    ///
    /// # Errors
    ///
    /// When its process can't be started.
    pub fn launch(&self, validator: usize) -> Result<(), NetworkError> {
        let node = self.node(validator)?;
        let mut process = node.process();
        if process.is_none() {
            *process = Some(spawn(&self.binary, node)?);
        }
        Ok(())
    }

    /// Starts all validators that do not run; returns at once.
    ///
    /// # Errors
    ///
    /// When a process can't be started.
    pub fn launch_all(&self) -> Result<(), NetworkError> {
        (0..self.nodes.len()).try_for_each(|validator| self.launch(validator))
    }

    /// Kills a validator without warning (SIGKILL), and waits until it is gone.
    ///
    /// # Errors
    ///
    /// When there is no such validator, or the system does not let it be killed.
    pub fn kill(&self, validator: usize) -> Result<(), NetworkError> {
        let Some(mut process) = self.node(validator)?.process().take() else {
            return Ok(());
        };
        end(&mut process).map_err(system(format!("validator {validator}")))
    }

    /// Stops a validator's process where it is (SIGSTOP): it keeps its connections and answers nothing.
    ///
    /// # Errors
    ///
    /// When it does not run, or the system does not let it be stopped.
    pub fn pause(&self, validator: usize) -> Result<(), NetworkError> {
        let process = self
            .node(validator)?
            .process()
            .as_ref()
            .map(Child::id)
            .ok_or_else(|| NetworkError::Unknown(format!("running validator {validator}")))?;
        let status = Command::new("kill")
            .args(["-STOP", &process.to_string()])
            .status()
            .map_err(system("kill"))?;
        match status.success() {
            true => Ok(()),
            false => Err(NetworkError::Unknown(format!("process {process}"))),
        }
    }

    /// Kills all validators without warning: all get the signal before the first is waited for.
    ///
    /// # Errors
    ///
    /// When the system does not let one be killed.
    pub fn kill_all(&self) -> Result<(), NetworkError> {
        for node in &self.nodes {
            if let Some(process) = node.process().as_mut() {
                process.kill().map_err(system(node.home.display()))?;
            }
        }
        (0..self.nodes.len()).try_for_each(|validator| self.kill(validator))
    }

    /// Waits until a validator answers, has caught up with the chain, and is connected to all others that run.
    ///
    /// # Errors
    ///
    /// When it ends by itself or does not get there in time.
    pub async fn wait_ready(&self, validator: usize) -> Result<(), NetworkError> {
        let remote = self.remote(validator)?;
        let peers = self.processes().len().saturating_sub(1);
        self.wait(
            &format!("validator {validator} is ready and has {peers} peers"),
            async || {
                self.check_alive()?;
                let status = remote.status().await;
                Ok(status.is_ok_and(|status| !status.catching_up && usize::from(status.peers) >= peers))
            },
        )
        .await
    }

    /// Waits until all validators that run are ready.
    ///
    /// # Errors
    ///
    /// When one ends by itself or does not get there in time.
    pub async fn wait_all_ready(&self) -> Result<(), NetworkError> {
        for (validator, node) in self.nodes.iter().enumerate() {
            let runs = node.process().is_some();
            if runs {
                self.wait_ready(validator).await?;
            }
        }
        Ok(())
    }

    /// Waits until a validator has committed a height.
    ///
    /// # Errors
    ///
    /// When it ends by itself or does not get there in time.
    pub async fn wait_height(&self, validator: usize, height: u64) -> Result<(), NetworkError> {
        let remote = self.remote(validator)?;
        self.wait(
            &format!("validator {validator} has committed height {height}"),
            async || {
                self.check_alive()?;
                Ok(remote.status().await.is_ok_and(|status| status.height >= height))
            },
        )
        .await
    }

    /// Looks again and again until a condition holds, for as long as the network's patience lasts.
    ///
    /// # Errors
    ///
    /// The condition's own, or that it does not hold in time.
    pub async fn wait<F>(&self, what: &str, mut condition: impl FnMut() -> F) -> Result<(), NetworkError>
    where
        F: Future<Output = Result<bool, NetworkError>>,
    {
        let until_it_holds = async {
            while !condition().await? {
                sleep(POLL_INTERVAL).await;
            }
            Ok(())
        };
        let limit = self.patience;
        timeout(limit, until_it_holds).await.unwrap_or_else(|_| {
            Err(NetworkError::TooLate {
                what: what.to_owned(),
                limit,
                logs: self.logs(),
            })
        })
    }

    /// That no validator which should run has ended by itself: it halts rather than go on wrongly.
    ///
    /// # Errors
    ///
    /// Which one ended, and the last lines of its log.
    pub fn check_alive(&self) -> Result<(), NetworkError> {
        for (validator, node) in self.nodes.iter().enumerate() {
            let ended = match node.process().as_mut() {
                Some(process) => process.try_wait().map_err(system(node.home.display()))?,
                None => None,
            };
            if let Some(status) = ended {
                let (status, logs) = (status.to_string(), log_tail(&node.log));
                return Err(NetworkError::Ended {
                    validator,
                    status,
                    logs,
                });
            }
        }
        Ok(())
    }

    /// Ends only when a validator does by itself: to be raced against what should go on meanwhile.
    pub async fn until_one_ends(&self) -> NetworkError {
        loop {
            match self.check_alive() {
                Ok(()) => sleep(POLL_INTERVAL).await,
                Err(error) => return error,
            }
        }
    }

    /// The last lines of all validators' logs.
    pub fn logs(&self) -> String {
        let tail = |(validator, node): (usize, &Node)| {
            format!(
                "---- end of the log of validator {validator}\n{}",
                log_tail(&node.log)
            )
        };
        self.nodes
            .iter()
            .enumerate()
            .map(tail)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if std::thread::panicking() {
            complain(&self.logs());
        }
        // Nothing can be done about a process that can't be killed; it is gone already in most cases.
        let _ = self.kill_all();
    }
}

#[expect(clippy::print_stderr, reason = "a failed test shows what the validators said")]
fn complain(logs: &str) {
    eprintln!("{logs}");
}

fn end(process: &mut Child) -> io::Result<()> {
    process.kill()?;
    process.wait().map(drop)
}

fn spawn(binary: &Path, node: &Node) -> Result<Child, NetworkError> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(&node.log)
        .map_err(system(node.log.display()))?;
    let mut command = Command::new(binary);
    command.arg("start").arg("--home").arg(&node.home);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().map_err(system(binary.display()))
}

fn testnet(binary: &Path, folder: &Path, options: &Options) -> Result<Layout, NetworkError> {
    let open_policy = if options.ticket_to_open {
        "ticket"
    } else {
        "members"
    };
    let mut command = Command::new(binary);
    command.args([
        "--json",
        "testnet",
        "--base-port",
        "0",
        "--validators",
        &options.validators.to_string(),
        "--open-policy",
        open_policy,
    ]);
    if let Some(threshold) = options.threshold {
        command.args(["--threshold", &threshold.to_string()]);
    }
    if let Some(seconds) = options.timelock_s {
        command.args(["--timelock-s", &seconds.to_string()]);
    }
    if let Some(slots) = options.slots {
        command.args(["--slots", &slots.to_string()]);
    }
    let output = command
        .arg("--dir")
        .arg(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(system(binary.display()))?;
    if !output.status.success() {
        return Err(NetworkError::Testnet(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| NetworkError::Testnet(error.to_string()))
}

/// Writes what a test wants otherwise into a validator's configuration.
fn configure(home: &Path, options: &Options) -> Result<(), NetworkError> {
    let path = home.join("config.toml");
    let mut config = Config::load(&path)?;
    if let Some(filter) = &options.log_filter {
        config.log.filter = filter.clone();
    }
    let set = |wanted: Option<u64>, value: &mut u64| *value = wanted.unwrap_or(*value);
    set(
        options.snapshot_interval_blocks,
        &mut config.snapshot.interval_blocks,
    );
    set(options.snapshot_behind_blocks, &mut config.snapshot.behind_blocks);
    set(options.block_interval_ms, &mut config.chain.block_interval_ms);
    set(options.propose_timeout_ms, &mut config.chain.propose_timeout_ms);
    fs::write(&path, config.to_commented_toml()).map_err(system(path.display()))
}

/// Puts more contracts into the agreement of all validators, and their code into all folders.
fn add_contracts(homes: &[PathBuf], contracts: &[Vec<u8>]) -> Result<Genesis, NetworkError> {
    let first = homes
        .first()
        .ok_or_else(|| NetworkError::Unknown("validator 0".into()))?
        .join("genesis.toml");
    let text = fs::read_to_string(&first).map_err(system(first.display()))?;
    let mut genesis = Genesis::from_toml(&text)?;
    if contracts.is_empty() {
        return Ok(genesis);
    }
    let mut agreement = genesis.agreement().clone();
    agreement.contracts.extend(
        contracts
            .iter()
            .map(|code| FoundingContract::new(Hash::of_content(code))),
    );
    genesis = Genesis::new(agreement)?;
    let text = genesis.to_toml()?;
    for home in homes {
        let write = |path: PathBuf, content: &[u8]| fs::write(&path, content).map_err(system(path.display()));
        let folder = home.join("contracts");
        fs::create_dir_all(&folder).map_err(system(folder.display()))?;
        write(home.join("genesis.toml"), text.as_bytes())?;
        for code in contracts {
            write(folder.join(format!("{}.wasm", Hash::of_content(code))), code)?;
        }
    }
    Ok(genesis)
}

fn log_tail(path: &Path) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_else(|error| format!("{}: {error}", path.display()))
}
