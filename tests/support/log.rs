//! Log lines in the two forms, written from a plain description of a call.
//!
//! Shapes: Bedrock User Guide, "Monitor model invocation using `CloudWatch` Logs and Amazon S3"
//! (`ModelInvocationLog`), and the bodies of Converse and of the Anthropic messages API.

use chrono::DateTime;
use serde_json::{Value, json};

/// Tokens of a call by class; the fields are the classes of `tollkeeper_tokens_total`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tokens {
    pub(crate) input: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write_5m: u64,
    pub(crate) cache_write_1h: u64,
    /// Written to the cache, and no body says for how long.
    pub(crate) cache_write_unknown_ttl: u64,
    pub(crate) output: u64,
}

impl Tokens {
    pub(crate) fn by_class(&self) -> [(&'static str, u64); 6] {
        [
            ("input", self.input),
            ("cache_read", self.cache_read),
            ("cache_write_5m", self.cache_write_5m),
            ("cache_write_1h", self.cache_write_1h),
            ("cache_write_unknown_ttl", self.cache_write_unknown_ttl),
            ("output", self.output),
        ]
    }

    fn cache_write(&self) -> u64 {
        self.cache_write_5m + self.cache_write_1h + self.cache_write_unknown_ttl
    }
}

/// What a record shows of request and answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bodies {
    /// Delivery of bodies is switched off.
    Off,
    Converse,
    /// Anthropic messages, answered at once.
    Messages,
    /// Anthropic messages, answered as a stream of events.
    MessagesStream,
    /// Titan text embeddings: no output tokens at all.
    Embedding,
}

/// One call of a model.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// As logged: id, profile id or ARN.
    pub(crate) model_id: String,
    /// Seconds since 1970.
    pub(crate) at: i64,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) identity_arn: String,
    pub(crate) request_id: Option<String>,
    pub(crate) error_code: Option<String>,
    pub(crate) tokens: Tokens,
    pub(crate) bodies: Bodies,
    pub(crate) prompt: String,
    pub(crate) answer: String,
    /// Decimal text; only application lines tell it.
    pub(crate) reported_usd: Option<String>,
}

impl Call {
    /// An answered call of Claude 2.1 without any cache.
    pub(crate) fn example() -> Self {
        Self {
            model_id: "anthropic.claude-v2:1".into(),
            at: 1_780_300_800,
            account: "111122223333".into(),
            region: "us-east-1".into(),
            identity_arn: "arn:aws:sts::111122223333:assumed-role/chat-backend/i-0aa1".into(),
            request_id: None,
            error_code: None,
            tokens: Tokens { input: 4502, output: 128, ..Tokens::default() },
            bodies: Bodies::Off,
            prompt: "Which of the two tickets is older?".into(),
            answer: "The second one.".into(),
            reported_usd: None,
        }
    }

    fn time(&self) -> String {
        let at = DateTime::from_timestamp(self.at, 0).expect("a time within chrono's range");
        at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// The call as Bedrock logs it, with a line feed.
    pub(crate) fn bedrock_line(&self) -> String {
        let mut record = json!({
            "timestamp": self.time(),
            "accountId": self.account,
            "identity": {"arn": self.identity_arn},
            "region": self.region,
            "operation": self.operation(),
            "modelId": self.model_id,
            "input": self.input(),
            "schemaType": "ModelInvocationLog",
            "schemaVersion": "1.0",
        });
        if let Some(id) = &self.request_id {
            record["requestId"] = json!(id);
        }
        match &self.error_code {
            Some(code) => record["errorCode"] = json!(code),
            None => record["output"] = self.output(),
        }
        format!("{record}\n")
    }

    /// The call as an application logs it, with a line feed. It has no place for cache tokens,
    /// region or caller.
    pub(crate) fn application_line(&self) -> String {
        let Tokens { input, output, .. } = self.tokens;
        let mut line = json!({
            "timestamp": self.time(),
            "level": "INFO",
            "message": "Model invocation successful",
            "model_id": self.model_id,
            "usage": {"input_tokens": input, "output_tokens": output, "total_tokens": input + output},
        });
        if let Some(id) = &self.request_id {
            line["request_id"] = json!(id);
        }
        let mut text = line.to_string();
        if let Some(amount) = &self.reported_usd {
            // As text, so that the decimal is exactly the one that the truth has.
            text.pop();
            text.push_str(",\"billing_estimate_usd\":");
            text.push_str(amount);
            text.push('}');
        }
        text.push('\n');
        text
    }

    fn operation(&self) -> &'static str {
        match self.bodies {
            Bodies::Converse => "Converse",
            Bodies::MessagesStream => "InvokeModelWithResponseStream",
            Bodies::Off | Bodies::Messages | Bodies::Embedding => "InvokeModel",
        }
    }

    fn input(&self) -> Value {
        let mut input = json!({"inputContentType": "application/json"});
        match self.bodies {
            Bodies::Off => (),
            Bodies::Converse => {
                input["inputBodyJson"] = json!({
                    "messages": [{"role": "user", "content": [{"text": self.prompt}]}],
                    "inferenceConfig": {"maxTokens": 4096},
                });
            }
            Bodies::Messages | Bodies::MessagesStream => {
                input["inputBodyJson"] = json!({
                    "anthropic_version": "bedrock-2023-05-31",
                    "max_tokens": 4096,
                    "messages": [{"role": "user", "content": self.prompt}],
                });
            }
            Bodies::Embedding => input["inputBodyJson"] = json!({"inputText": self.prompt}),
        }
        if self.error_code.is_none() {
            input["inputTokenCount"] = json!(self.tokens.input);
            if self.tokens.cache_read + self.tokens.cache_write() > 0 {
                input["cacheReadInputTokenCount"] = json!(self.tokens.cache_read);
                input["cacheWriteInputTokenCount"] = json!(self.tokens.cache_write());
            }
        }
        input
    }

    fn output(&self) -> Value {
        let mut output = json!({"outputContentType": "application/json"});
        if self.bodies != Bodies::Embedding {
            output["outputTokenCount"] = json!(self.tokens.output);
        }
        match self.bodies {
            Bodies::Off => (),
            Bodies::Converse => output["outputBodyJson"] = self.converse_answer(),
            Bodies::Messages => {
                output["outputBodyJson"] = json!({
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "text", "text": self.answer}],
                    "stop_reason": "end_turn",
                    "usage": self.anthropic_usage(),
                });
            }
            Bodies::MessagesStream => output["outputBodyJson"] = self.stream_answer(),
            Bodies::Embedding => {
                output["outputBodyJson"] = json!({
                    "embedding": [0.12, -0.5, 0.25],
                    "inputTextTokenCount": self.tokens.input,
                });
            }
        }
        output
    }

    fn converse_answer(&self) -> Value {
        let tokens = &self.tokens;
        let mut usage = json!({
            "inputTokens": tokens.input,
            "outputTokens": tokens.output,
            "totalTokens": tokens.input + tokens.output + tokens.cache_read + tokens.cache_write(),
        });
        if tokens.cache_read + tokens.cache_write() > 0 {
            usage["cacheReadInputTokens"] = json!(tokens.cache_read);
            usage["cacheWriteInputTokens"] = json!(tokens.cache_write());
            usage["cacheDetails"] = json!([
                {"ttl": "5m", "inputTokens": tokens.cache_write_5m},
                {"ttl": "1h", "inputTokens": tokens.cache_write_1h},
            ]);
        }
        json!({
            "output": {"message": {"role": "assistant", "content": [{"text": self.answer}]}},
            "stopReason": "end_turn",
            "metrics": {"latencyMs": 1250},
            "usage": usage,
        })
    }

    fn anthropic_usage(&self) -> Value {
        let tokens = &self.tokens;
        json!({
            "input_tokens": tokens.input,
            "cache_read_input_tokens": tokens.cache_read,
            "cache_creation_input_tokens": tokens.cache_write(),
            "cache_creation": {
                "ephemeral_5m_input_tokens": tokens.cache_write_5m,
                "ephemeral_1h_input_tokens": tokens.cache_write_1h,
            },
            "output_tokens": tokens.output,
        })
    }

    fn stream_answer(&self) -> Value {
        let mut first = self.anthropic_usage();
        first["output_tokens"] = json!(1);
        json!([
            {"type": "message_start", "message": {"role": "assistant", "usage": first}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0,
             "delta": {"type": "text_delta", "text": self.answer}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"},
             "usage": {"output_tokens": self.tokens.output}},
            {"type": "message_stop", "amazon-bedrock-invocationMetrics": {
                "inputTokenCount": self.tokens.input, "outputTokenCount": self.tokens.output,
                "invocationLatency": 1250, "firstByteLatency": 310}},
            "[DONE]",
        ])
    }
}
