#!/usr/bin/env python3
"""Writes the example logs of this folder. Deterministic: the same bytes every time.

    examples/logs/make.py

Everything in them is invented: the account, the roles, the prompts. The shapes are those of the
Amazon Bedrock model invocation log (User Guide, "Monitor model invocation") and of an application
that logs one line for each call.
"""

import datetime
import json
import pathlib
import random

HERE = pathlib.Path(__file__).resolve().parent
ACCOUNT = "111122223333"
START = datetime.datetime(2026, 11, 23, 9, 0, 0)
BEDROCK_RECORDS = 200
APPLICATION_LINES = 100
QUOTED_LINE = (
    '{"timestamp":"2024-05-20T14:32:01Z","level":"INFO","message":"Model invocation successful",'
    '"model_id":"anthropic.claude-v2:1","usage":{"input_tokens":4502,"output_tokens":128,'
    '"total_tokens":4630},"billing_estimate_usd":0.078,"request_id":"req-8f3a"}'
)

SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
HAIKU = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "amazon.nova-pro-v1:0"
MICRO = "amazon.nova-micro-v1:0"
LLAMA = "meta.llama3-1-8b-instruct-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"
PROFILE = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/a1b2c3d4e5f6"

# Who calls: share of the calls, model, region, form of the bodies, smallest and largest input,
# largest output.
CALLERS = [
    (30, "assumed-role/chat-backend/i-0aa1b2c3", SONNET, "us-east-1", "converse", 300, 6_000, 900),
    (20, "assumed-role/ticket-tagger/batch-7", HAIKU, "us-east-1", "messages", 200, 2_500, 120),
    (14, "assumed-role/log-summariser/i-0c33d4e5", SONNET, "us-east-1", "stream", 90_000, 170_000, 1_500),
    (12, "assumed-role/search-indexer/task-19", TITAN, "us-west-2", "embed", 20, 800, 0),
    (10, "assumed-role/chat-backend/i-0bb2c3d4", NOVA, "us-west-2", "converse", 200, 5_000, 700),
    (6, "user/alice", LLAMA, "us-east-1", "llama", 50, 900, 400),
    (5, "assumed-role/router/i-0dd4e5f6", MICRO, "us-east-1", "off", 40, 300, 30),
    (3, "assumed-role/mobile-api/i-0ee5f6a7", PROFILE, "us-east-1", "off", 300, 3_000, 500),
]

QUESTIONS = [
    "Which of these two tickets is older?",
    "Summarise the deployment log below in three sentences.",
    "Is this message about billing, login or something else?",
    "Translate the release note into German.",
    "What does exit code 137 mean?",
    "List the hosts that were restarted.",
]
ANSWERS = [
    "The second one, by two days.",
    "The deployment finished; one host was restarted twice.",
    "Something else.",
    "Die Anmeldung ist jetzt schneller.",
    "The process was killed, most often for lack of memory.",
    "web-3 and web-7.",
]
ERRORS = ["ThrottlingException"] * 6 + [
    "ValidationException",
    "AccessDeniedException",
    "ModelTimeoutException",
    "ServiceUnavailableException",
]


def arn(resource):
    service = "sts" if resource.startswith("assumed-role") else "iam"
    return f"arn:aws:{service}::{ACCOUNT}:{resource}"


def bodies(form, rng, tokens, question, answer):
    """Returns operation, request body and answer body."""
    latency = rng.randint(300, 9_000)
    read, write_5m, write_1h = tokens["read"], tokens["write_5m"], tokens["write_1h"]
    stop = "max_tokens" if rng.random() < 0.05 else "end_turn"
    anthropic_request = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": question}],
    }
    usage = {
        "input_tokens": tokens["input"],
        "cache_creation_input_tokens": write_5m + write_1h,
        "cache_read_input_tokens": read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": write_5m,
            "ephemeral_1h_input_tokens": write_1h,
        },
    }
    if form == "converse":
        used = {
            "inputTokens": tokens["input"],
            "outputTokens": tokens["output"],
            "totalTokens": tokens["input"] + tokens["output"] + read + write_5m + write_1h,
        }
        if read or write_5m or write_1h:
            used["cacheReadInputTokens"] = read
            used["cacheWriteInputTokens"] = write_5m + write_1h
            used["cacheDetails"] = [
                {"ttl": "5m", "inputTokens": write_5m},
                {"ttl": "1h", "inputTokens": write_1h},
            ]
        return (
            rng.choice(["Converse", "ConverseStream"]),
            {
                "messages": [{"role": "user", "content": [{"text": question}]}],
                "inferenceConfig": {"maxTokens": 2048, "temperature": 0.2},
            },
            {
                "output": {"message": {"role": "assistant", "content": [{"text": answer}]}},
                "stopReason": stop,
                "metrics": {"latencyMs": latency},
                "usage": used,
            },
        )
    if form == "messages":
        return (
            "InvokeModel",
            anthropic_request,
            {
                "id": "msg_bdrk_%08x" % rng.getrandbits(32),
                "type": "message",
                "role": "assistant",
                "content": [{"type": "text", "text": answer}],
                "stop_reason": stop,
                "usage": {**usage, "output_tokens": tokens["output"]},
            },
        )
    if form == "stream":
        return (
            "InvokeModelWithResponseStream",
            anthropic_request,
            [
                {
                    "type": "message_start",
                    "message": {"role": "assistant", "usage": {**usage, "output_tokens": 1}},
                },
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "text_delta", "text": answer},
                },
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": stop},
                    "usage": {"output_tokens": tokens["output"]},
                },
                {
                    "type": "message_stop",
                    "amazon-bedrock-invocationMetrics": {
                        "inputTokenCount": tokens["input"],
                        "outputTokenCount": tokens["output"],
                        "invocationLatency": latency,
                        "firstByteLatency": latency // 8,
                    },
                },
                "[DONE]",
            ],
        )
    if form == "llama":
        return (
            "InvokeModel",
            {"prompt": question, "max_gen_len": 512},
            {
                "generation": answer,
                "prompt_token_count": tokens["input"],
                "generation_token_count": tokens["output"],
                "stop_reason": "stop",
            },
        )
    if form == "embed":
        return (
            "InvokeModel",
            {"inputText": question},
            {"embedding": [0.031, -0.27, 0.118], "inputTextTokenCount": tokens["input"]},
        )
    return "InvokeModel", None, None


def bedrock_record(rng, at, number):
    shares = [caller[0] for caller in CALLERS]
    _, who, model, region, form, smallest, largest, output_max = rng.choices(CALLERS, shares)[0]
    tokens = {"input": rng.randint(smallest, largest), "read": 0, "write_5m": 0, "write_1h": 0}
    tokens["output"] = rng.randint(1, output_max) if output_max else 0
    if model in (SONNET, HAIKU) and form != "stream" and rng.random() < 0.5:
        if rng.random() < 0.3:
            tokens["write_5m"] = rng.randint(1_024, 6_000)
            tokens["write_1h"] = rng.choice([0, 0, 2_048])
        else:
            tokens["read"] = rng.randint(1_024, 8_000)
    question = rng.choice(QUESTIONS)
    operation, request, answer = bodies(form, rng, tokens, question, rng.choice(ANSWERS))
    failed = rng.random() < (0.25 if who.startswith("assumed-role/log-summariser") else 0.06)
    head = {"schemaType": "ModelInvocationLog", "schemaVersion": "1.0"}
    record = {
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "accountId": ACCOUNT,
        "identity": {"arn": arn(who)},
        "region": region,
        "requestId": "%08x-%04x-4%03x-a%03x-%012x" % (
            rng.getrandbits(32), number, rng.getrandbits(12), rng.getrandbits(12), rng.getrandbits(48)
        ),
        "operation": operation,
        "modelId": model,
        "input": {"inputContentType": "application/json"},
    }
    if rng.random() < 0.2:
        record["requestMetadata"] = {"team": rng.choice(["support", "search", "platform"])}
    if request is not None:
        record["input"]["inputBodyJson"] = request
    if failed:
        record["errorCode"] = rng.choice(ERRORS)
    else:
        record["input"]["inputTokenCount"] = tokens["input"]
        if tokens["read"] or tokens["write_5m"] or tokens["write_1h"]:
            record["input"]["cacheReadInputTokenCount"] = tokens["read"]
            record["input"]["cacheWriteInputTokenCount"] = tokens["write_5m"] + tokens["write_1h"]
        record["output"] = {"outputContentType": "application/json"}
        if answer is not None:
            record["output"]["outputBodyJson"] = answer
        if form != "embed":
            record["output"]["outputTokenCount"] = tokens["output"]
    # Older records begin with the schema, newer ones end with it.
    return {**head, **record} if rng.random() < 0.3 else {**record, **head}


def application_line(rng, at, number):
    model, input_price, output_price = rng.choice(
        [("anthropic.claude-v2:1", 8, 24), (NOVA, 0.8, 3.2), (LLAMA, 0.22, 0.22)]
    )
    tokens_in, tokens_out = rng.randint(50, 6_000), rng.randint(10, 700)
    # Now and then the application counts a retried call twice.
    factor = 2 if rng.random() < 0.2 else 1
    estimate = round(factor * (tokens_in * input_price + tokens_out * output_price) / 1e6, 6)
    return {
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "level": "INFO",
        "message": "Model invocation successful",
        "model_id": model,
        "usage": {
            "input_tokens": tokens_in,
            "output_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        },
        "billing_estimate_usd": estimate,
        "request_id": "req-%04x" % (0x9000 + number),
    }


def dump(value):
    return json.dumps(value, separators=(",", ":"))


def main():
    rng = random.Random(20261123)
    at = START
    with open(HERE / "bedrock-invocations.jsonl", "w", encoding="utf-8") as file:
        for number in range(BEDROCK_RECORDS):
            at += datetime.timedelta(seconds=rng.randint(1, 40))
            file.write(dump(bedrock_record(rng, at, number)) + "\n")
    at = START
    with open(HERE / "application.jsonl", "w", encoding="utf-8") as file:
        file.write(QUOTED_LINE + "\n")
        for number in range(APPLICATION_LINES - 1):
            at += datetime.timedelta(seconds=rng.randint(1, 70))
            file.write(dump(application_line(rng, at, number)) + "\n")


if __name__ == "__main__":
    main()
