//! The `gateway` command.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gateway::cli::models;
use gateway::config::{self, Config};
use gateway::{logging, server};
use gateway_actors::embed::model::Model;
use gateway_actors::metrics::panics::log_panics;

/// A request allocates some hundred small pieces on one thread; the system's allocator takes twice the time for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One OpenAI-compatible endpoint in front of many LLM providers.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve (the default).
    Serve {
        /// The configuration file; without it, GATEWAY_CONFIG or config/gateway.toml if it is there.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Check a configuration and the environment, and print every problem (exit code 64).
    CheckConfig {
        /// The configuration file.
        file: Option<PathBuf>,
    },
    /// Download and check the embedding models of the semantic cache.
    Models {
        #[command(subcommand)]
        command: ModelsCommand,
    },
}

#[derive(Subcommand)]
enum ModelsCommand {
    /// Download a model from the Hugging Face hub, and ONNX Runtime from the Python package index (exit code 1 on failure).
    Pull {
        /// The model; without it, the configured one.
        #[arg(long)]
        model: Option<String>,
        /// The configuration file.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// List the downloaded models and run a test embedding with each (exit code 1 if the configured one is not ready).
    Check {
        /// The configuration file.
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

/// The exit code for a bad configuration (`EX_USAGE` of sysexits.h).
const BAD_CONFIG: u8 = 64;

fn main() -> ExitCode {
    let environment = environment();
    match Cli::parse().command.unwrap_or(Command::Serve { config: None }) {
        Command::Serve { config } => match load(config, &environment) {
            Ok((config, _)) => serve(config),
            Err(code) => code,
        },
        Command::CheckConfig { file } => match load(file, &environment) {
            Ok((config, source)) => {
                for warning in config.warnings {
                    complain(&format!("{source}: warning: {warning}"));
                }
                println!("{source}: ok");
                ExitCode::SUCCESS
            }
            Err(code) => code,
        },
        Command::Models { command } => models(command, &environment),
    }
}

fn models(command: ModelsCommand, environment: &HashMap<String, String>) -> ExitCode {
    let (ModelsCommand::Pull { config, .. } | ModelsCommand::Check { config }) = &command;
    let settings = match load(config.clone(), environment) {
        Ok((config, _)) => config.cache.semantic,
        Err(code) => return code,
    };
    let done = match command {
        ModelsCommand::Pull { model, .. } => {
            let name = model.as_ref().unwrap_or(&settings.model);
            let Some(model) = Model::find(name) else {
                complain(&format!("'{name}' must be one of {}, or the repository of one of them", Model::names()));
                return ExitCode::from(BAD_CONFIG);
            };
            models::pull(&settings, model)
        }
        ModelsCommand::Check { .. } => models::check(&settings),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

/// The variables that are text; none of the gateway's can be anything else.
fn environment() -> HashMap<String, String> {
    let text = |(name, value): (OsString, OsString)| match (name.into_string(), value.into_string()) {
        (Ok(name), Ok(value)) => Some((name, value)),
        (Ok(name), Err(_)) if name.starts_with("GATEWAY_") => {
            complain(&format!("{name}: not UTF-8, and therefore ignored"));
            None
        }
        _ => None,
    };
    std::env::vars_os().filter_map(text).collect()
}

/// The configuration in force, and where it came from; problems are told on standard error.
fn load(file: Option<PathBuf>, environment: &HashMap<String, String>) -> Result<(Config, String), ExitCode> {
    let named = file.or_else(|| environment.get("GATEWAY_CONFIG").map(PathBuf::from));
    let usual = PathBuf::from("config/gateway.toml");
    let path = named.or_else(|| usual.exists().then_some(usual));
    let source = path.as_ref().map_or_else(|| "defaults".to_owned(), |path| path.display().to_string());
    let text = path.map(std::fs::read_to_string).transpose().map_err(|error| {
        complain(&format!("{source}: {error}"));
        ExitCode::from(BAD_CONFIG)
    })?;
    config::load(text.as_deref(), environment).map(|config| (config, source.clone())).map_err(|problems| {
        for problem in problems {
            complain(&format!("{source}: {problem}"));
        }
        ExitCode::from(BAD_CONFIG)
    })
}

fn serve(config: Config) -> ExitCode {
    let _log = match logging::start(&config.log) {
        Ok(log) => log,
        Err(error) => {
            complain(&format!("log: {error}"));
            return ExitCode::FAILURE;
        }
    };
    log_panics();
    for warning in &config.warnings {
        log::warn!("{warning}");
    }
    match actix_rt::System::new().block_on(server::run(config)) {
        Ok(code) => code,
        Err(error) => {
            log::error!("{error}");
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Before the log stands, and for the operator at a terminal, problems go to standard error.
#[expect(clippy::print_stderr, reason = "the one place that speaks to the operator's terminal")]
fn complain(text: &str) {
    eprintln!("{text}");
}
