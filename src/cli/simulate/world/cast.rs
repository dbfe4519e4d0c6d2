//! Who calls what: the models, the places, and the roles of a company that does not exist.
//!
//! Everything here is a starting point; the seed varies it (`world::workload`).

/// How a model is called and answers, which decides the shape of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::simulate) enum Speech {
    /// `Converse` and `ConverseStream`.
    Converse,
    /// `InvokeModelWithResponseStream` of Claude's Messages API: tells the time to the first token.
    MessagesStream,
    /// `InvokeModel` of Claude's Text Completions API: tells neither usage nor latency.
    Completion,
    /// `InvokeModel` of an embedding model: no output tokens.
    Embedding,
}

/// A model.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::simulate) struct Model {
    /// The base model id, which is the value of the label `model`.
    pub(in crate::cli::simulate) base: &'static str,
    reach: Reach,
    /// About what a million input tokens cost in dollars. Says only who is worth being a culprit; what
    /// calls cost is the price book's.
    pub(super) input_usd_about: f64,
    /// Milliseconds for one output token.
    pub(super) token_ms: f64,
}

/// How a model id is put together.
#[derive(Clone, Copy, Debug)]
enum Reach {
    InRegion,
    /// `us.` or `eu.`, by region.
    Geo,
    Global,
}

impl Model {
    /// Returns the model id as a caller in `region` writes it.
    pub(super) fn id(&self, region: &str) -> String {
        match self.reach {
            Reach::InRegion => self.base.to_owned(),
            Reach::Geo if region.starts_with("eu-") => format!("eu.{}", self.base),
            Reach::Geo => format!("us.{}", self.base),
            Reach::Global => format!("global.{}", self.base),
        }
    }
}

const CLAUDE_2: Model = Model {
    base: "anthropic.claude-v2:1",
    reach: Reach::InRegion,
    input_usd_about: 8.0,
    token_ms: 22.0,
};
const SONNET: Model = Model {
    base: "anthropic.claude-sonnet-4-5-20250929-v1:0",
    reach: Reach::Geo,
    input_usd_about: 3.3,
    token_ms: 14.0,
};
const HAIKU: Model = Model {
    base: "anthropic.claude-haiku-4-5-20251001-v1:0",
    reach: Reach::Global,
    input_usd_about: 1.0,
    token_ms: 7.0,
};
const OPUS: Model = Model {
    base: "anthropic.claude-opus-4-5-20251101-v1:0",
    reach: Reach::Geo,
    input_usd_about: 5.5,
    token_ms: 18.0,
};
const NOVA_PRO: Model =
    Model { base: "amazon.nova-pro-v1:0", reach: Reach::Geo, input_usd_about: 0.8, token_ms: 8.0 };
const NOVA_LITE: Model = Model {
    base: "amazon.nova-lite-v1:0",
    reach: Reach::Geo,
    input_usd_about: 0.06,
    token_ms: 5.0,
};
const NOVA_MICRO: Model = Model {
    base: "amazon.nova-micro-v1:0",
    reach: Reach::Geo,
    input_usd_about: 0.035,
    token_ms: 4.0,
};
const LLAMA: Model = Model {
    base: "meta.llama3-3-70b-instruct-v1:0",
    reach: Reach::Geo,
    input_usd_about: 0.72,
    token_ms: 12.0,
};
const TITAN_EMBED: Model = Model {
    base: "amazon.titan-embed-text-v2:0",
    reach: Reach::InRegion,
    input_usd_about: 0.02,
    token_ms: 0.0,
};
const GPT_OSS: Model = Model {
    base: "openai.gpt-oss-120b-1:0",
    reach: Reach::InRegion,
    input_usd_about: 0.15,
    token_ms: 6.0,
};

/// An account and a region.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::cli::simulate) struct Place {
    pub(in crate::cli::simulate) account: &'static str,
    pub(in crate::cli::simulate) region: &'static str,
    /// What the clocks of the people there show, in hours from UTC.
    pub(super) hours_from_utc: f64,
}

const VIRGINIA: Place =
    Place { account: "111122223333", region: "us-east-1", hours_from_utc: -5.0 };
const OREGON: Place = Place { account: "111122223333", region: "us-west-2", hours_from_utc: -8.0 };
const FRANKFURT: Place =
    Place { account: "444455556666", region: "eu-central-1", hours_from_utc: 1.0 };
const ALL: &[Place] = &[VIRGINIA, OREGON, FRANKFURT];
const AMERICA: &[Place] = &[VIRGINIA, OREGON];

/// What stands in front of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::simulate) enum Door {
    /// An API gateway on this path, and a Lambda function behind it.
    Gateway(&'static str),
    /// A Lambda function that reads a queue.
    Function,
    /// A service of its own.
    Service,
    /// A service that calls the OpenAI-compatible endpoint `bedrock-mantle`, whose calls are in no
    /// invocation log but in the application's own.
    Mantle,
}

/// When calls come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rhythm {
    /// With the people: more by day than by night.
    People {
        /// The rate at night, as a part of that at the peak.
        night: f64,
        /// The rate at weekends, as a part of that of other days.
        weekend: f64,
    },
    /// For some minutes of every hour, and hardly otherwise.
    Hourly { minutes: i64 },
    /// For some minutes of every night, and never otherwise.
    Nightly { minutes: i64 },
}

/// A role and what it usually does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Role {
    /// As in the label `principal`: `role/NAME` or `user/NAME`.
    pub(super) principal: &'static str,
    /// Who pays, as the request metadata says.
    pub(super) team: &'static str,
    pub(super) door: Door,
    pub(super) rhythm: Rhythm,
    /// Part of all calls, relative to the others.
    pub(super) share: f64,
    /// Median of the input tokens, without what is cached, and its spread.
    pub(super) input: (f64, f64),
    /// Median of the output tokens and its spread.
    pub(super) output: (f64, f64),
    /// Tokens of the start of the prompt that are cached, about; 0 for none.
    pub(super) cached: f64,
    pub(super) speech: Speech,
    /// The seed takes one of these for most calls.
    pub(super) models: &'static [Model],
    /// A second model, which has a part of the calls.
    pub(super) second: Option<(Model, f64)>,
    pub(super) places: &'static [Place],
}

const USUAL: Role = Role {
    principal: "",
    team: "platform",
    door: Door::Service,
    rhythm: Rhythm::People { night: 0.12, weekend: 0.55 },
    share: 1.0,
    input: (1_000.0, 0.6),
    output: (200.0, 0.6),
    cached: 0.0,
    speech: Speech::Converse,
    models: &[],
    second: None,
    places: ALL,
};
const OFFICE: Rhythm = Rhythm::People { night: 0.03, weekend: 0.12 };

/// Everybody who calls a model.
pub(super) const ROLES: &[Role] = &[
    Role {
        principal: "role/chat-backend",
        team: "growth",
        door: Door::Gateway("/chat"),
        rhythm: Rhythm::People { night: 0.15, weekend: 0.7 },
        share: 24.0,
        input: (1_400.0, 0.7),
        output: (320.0, 0.7),
        cached: 2_600.0,
        speech: Speech::MessagesStream,
        models: &[SONNET],
        second: Some((HAIKU, 0.25)),
        places: AMERICA,
    },
    Role {
        principal: "role/mobile-api",
        team: "growth",
        door: Door::Gateway("/assist"),
        rhythm: Rhythm::People { night: 0.2, weekend: 1.15 },
        share: 14.0,
        input: (700.0, 0.6),
        output: (170.0, 0.6),
        models: &[HAIKU, NOVA_PRO],
        second: Some((NOVA_LITE, 0.3)),
        ..USUAL
    },
    Role {
        principal: "role/support-copilot",
        team: "support",
        door: Door::Gateway("/support/reply"),
        rhythm: Rhythm::People { night: 0.05, weekend: 0.3 },
        share: 8.0,
        input: (2_200.0, 0.6),
        output: (260.0, 0.5),
        cached: 4_000.0,
        models: &[SONNET, HAIKU],
        ..USUAL
    },
    Role {
        principal: "role/log-summariser",
        door: Door::Gateway("/summarise"),
        rhythm: Rhythm::People { night: 0.45, weekend: 0.8 },
        share: 4.0,
        input: (1_070.0, 0.45),
        output: (150.0, 0.5),
        speech: Speech::Completion,
        models: &[CLAUDE_2],
        places: &[VIRGINIA],
        ..USUAL
    },
    Role {
        principal: "role/ticket-tagger",
        team: "support",
        door: Door::Function,
        rhythm: Rhythm::People { night: 0.08, weekend: 0.3 },
        share: 11.0,
        input: (800.0, 0.5),
        output: (28.0, 0.4),
        models: &[HAIKU, NOVA_PRO, LLAMA],
        places: AMERICA,
        ..USUAL
    },
    Role {
        principal: "role/fraud-screener",
        team: "finance",
        door: Door::Function,
        rhythm: Rhythm::People { night: 0.5, weekend: 0.95 },
        share: 7.0,
        input: (1_500.0, 0.4),
        output: (60.0, 0.4),
        models: &[NOVA_PRO, HAIKU],
        second: Some((NOVA_MICRO, 0.5)),
        ..USUAL
    },
    Role {
        principal: "role/translation-service",
        rhythm: Rhythm::People { night: 0.25, weekend: 0.6 },
        share: 7.0,
        input: (600.0, 0.8),
        output: (560.0, 0.8),
        models: &[LLAMA, NOVA_PRO],
        places: AMERICA,
        ..USUAL
    },
    Role {
        principal: "role/search-indexer",
        team: "search",
        rhythm: Rhythm::Hourly { minutes: 6 },
        share: 9.0,
        input: (450.0, 0.3),
        output: (0.0, 0.0),
        speech: Speech::Embedding,
        models: &[TITAN_EMBED],
        places: AMERICA,
        ..USUAL
    },
    Role {
        principal: "role/report-writer",
        team: "finance",
        rhythm: Rhythm::Hourly { minutes: 4 },
        share: 2.5,
        input: (5_200.0, 0.5),
        output: (900.0, 0.4),
        models: &[NOVA_PRO, HAIKU],
        ..USUAL
    },
    Role {
        principal: "role/code-reviewer",
        rhythm: OFFICE,
        share: 3.5,
        input: (5_500.0, 0.8),
        output: (700.0, 0.6),
        cached: 9_000.0,
        models: &[SONNET],
        ..USUAL
    },
    Role {
        principal: "role/meeting-notes",
        rhythm: OFFICE,
        share: 1.6,
        input: (9_000.0, 0.5),
        output: (650.0, 0.4),
        models: &[HAIKU, NOVA_PRO],
        ..USUAL
    },
    Role {
        principal: "role/nightly-evals",
        rhythm: Rhythm::Nightly { minutes: 50 },
        share: 2.4,
        input: (1_800.0, 0.4),
        output: (300.0, 0.4),
        models: &[HAIKU],
        ..USUAL
    },
    Role {
        principal: "role/product-copy",
        team: "growth",
        rhythm: OFFICE,
        share: 2.0,
        input: (900.0, 0.5),
        output: (420.0, 0.4),
        models: &[LLAMA, NOVA_PRO],
        places: AMERICA,
        ..USUAL
    },
    Role {
        principal: "user/alice",
        rhythm: OFFICE,
        share: 0.5,
        input: (7_000.0, 1.1),
        output: (1_200.0, 0.7),
        models: &[OPUS],
        ..USUAL
    },
    Role {
        principal: "unknown",
        door: Door::Mantle,
        rhythm: Rhythm::People { night: 0.2, weekend: 0.6 },
        share: 3.5,
        input: (900.0, 0.6),
        output: (240.0, 0.6),
        models: &[GPT_OSS],
        places: AMERICA,
        ..USUAL
    },
];
