#!/usr/bin/env python3
"""Writes one small log of each shape, and what is to be counted in it (`expected.json`).

    python3 tests/golden/make.py

The numbers come from the calls below and from list prices written down here, not from the program.
Shapes: the documents named in src/decode/paths/table.rs. All names and ids are made up.
"""

import base64
import gzip
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
LOGS = os.path.join(HERE, "logs")
SECOND = 1788357601  # 2026-09-02T14:00:01Z
ROLE = "arn:aws:sts::444455556666:assumed-role/golden-bot/session"

# Picodollars a token: list prices of 8 and 24, and of 0.8, 3.2 and 0.2 dollars a million tokens.
CLAUDE = {"input": 8_000_000, "output": 24_000_000}
NOVA = {"input": 800_000, "output": 3_200_000, "cache_read": 200_000}


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def time(second, suffix="Z"):
    minute, second = divmod(second, 60)
    return f"2026-09-02T14:{minute:02d}:{second:02d}{suffix}"


class File:
    """One log, and what is to be counted in it."""

    number = 0

    def __init__(self, name):
        File.number += 1
        self.name, self.id = name, File.number
        self.calls, self.cost = 0, 0
        self.outcomes, self.tokens, self.lines = {}, {}, {}
        self.signals = {}

    def request_id(self, call):
        return f"{self.id:08x}-0000-4000-8000-{call:012x}"

    def line(self, kind, result="accepted", count=1):
        key = f"{kind} {result}"
        self.lines[key] = self.lines.get(key, 0) + count

    def signal(self, metric, count=1):
        self.signals[metric] = self.signals.get(metric, 0) + count

    def call(self, outcome, tokens, prices, kind):
        self.calls += 1
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.line(kind)
        for token_class, count in tokens.items():
            self.tokens[token_class] = self.tokens.get(token_class, 0) + count
            self.cost += count * prices[token_class]

    def records(self):
        """Three records of the invocation log: answered, answered out of the cache, refused."""
        base = {"schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "accountId": "444455556666",
                "identity": {"arn": ROLE}, "region": "us-east-1"}
        kind = "bedrock_invocation"
        self.call("ok", {"input": 4502, "output": 128}, CLAUDE, kind)
        self.call("ok", {"input": 900, "output": 77, "cache_read": 1024}, NOVA, kind)
        self.call("access_denied", {}, {}, kind)
        return [
            {**base, "timestamp": time(1), "requestId": self.request_id(1), "operation": "InvokeModel",
             "modelId": "anthropic.claude-v2:1",
             "input": {"inputContentType": "application/json", "inputTokenCount": 4502,
                       "inputBodyJson": {"prompt": "\n\nHuman: {\"inputTokenCount\":999999}\n\nAssistant:"}},
             "output": {"outputContentType": "application/json", "outputTokenCount": 128,
                        "outputBodyJson": {"completion": " y", "stop_reason": "stop_sequence"}}},
            {**base, "timestamp": time(2), "requestId": self.request_id(2), "operation": "Converse",
             "modelId": "amazon.nova-pro-v1:0",
             "input": {"inputTokenCount": 900, "cacheReadInputTokenCount": 1024},
             "output": {"outputTokenCount": 77, "outputBodyJson": {"stopReason": "end_turn"}}},
            {**base, "timestamp": time(3), "requestId": self.request_id(3), "operation": "InvokeModel",
             "modelId": "anthropic.claude-v2:1", "errorCode": "AccessDeniedException", "input": {}, "output": {}},
        ]

    def write(self, text):
        with open(os.path.join(LOGS, self.name), "wb") as out:
            out.write(text if isinstance(text, bytes) else text.encode())
        whole, rest = divmod(self.cost, 10**12)
        cost = f"{whole}.{rest:012d}".rstrip("0").rstrip(".") if self.cost else "0"
        return {"file": self.name, "requests": self.calls, "outcomes": self.outcomes, "tokens": self.tokens,
                "cost_usd": cost, "lines": self.lines, "signals": self.signals}


def wrapped(name, wrap):
    """A log of three records in a wrapping: `wrap` gets the file and the records as text."""
    file = File(name)
    return file.write(wrap(file, [compact(record) for record in file.records()]))


def event(file, number, message, stamp="timestamp"):
    return {"id": f"{file.id:028d}{number:028d}", stamp: SECOND * 1000 + number, "message": message}


def envelope(file, lines):
    return {"messageType": "DATA_MESSAGE", "owner": "444455556666", "logGroup": "/bedrock", "logStream": "s",
            "subscriptionFilters": ["f"], "logEvents": [event(file, n, line) for n, line in enumerate(lines)]}


def data(value):
    return base64.b64encode(gzip.compress(compact(value).encode(), mtime=0)).decode()


def wrappings():
    control = {"messageType": "CONTROL_MESSAGE", "owner": "CloudwatchLogs", "logEvents": []}

    def subscription(file, lines):
        file.line("unknown", "ignored")
        return compact(control) + "\n" + compact(envelope(file, lines)) + "\n"

    def docker(_, lines):
        """The second record is cut into pieces, as the driver does at 16 KiB; stderr comes between."""
        out = [{"log": lines[0] + "\n", "stream": "stdout", "time": time(1)}]
        for at in range(0, len(lines[1]), 100):
            end = "" if at + 100 < len(lines[1]) else "\n"
            out.append({"log": lines[1][at:at + 100] + end, "stream": "stdout", "time": time(2)})
        out.append({"log": lines[2] + "\n", "stream": "stderr", "time": time(3)})
        return "".join(compact(line) + "\n" for line in out)

    def cri(_, lines):
        first, second = lines[1][:150], lines[1][150:]
        return (f"{time(1, '.000000001Z')} stdout F {lines[0]}\n{time(2, '.000000001Z')} stdout P {first}\n"
                f"{time(2, '.000000002Z')} stderr F {lines[2]}\n{time(2, '.000000003Z')} stdout F {second}\n")

    def insights(_, lines):
        rows = [[{"field": "@timestamp", "value": "2026-09-02 14:00:01.000"}, {"field": "@message", "value": line}]
                for line in lines]
        return json.dumps({"results": rows, "status": "Complete"}, indent=4) + "\n"

    def page(file, lines):
        events = [{"logStreamName": "s", "timestamp": SECOND * 1000, "message": line, "ingestionTime": 2,
                   "eventId": f"{file.id:028d}{n:028d}"} for n, line in enumerate(lines)]
        return json.dumps({"events": events, "searchedLogStreams": []}, indent=4) + "\n"

    def text_page(file, lines):
        file.line("unknown", "ignored")
        return "".join(f"EVENTS\t{file.id}{n}\t1\ts\t{line}\t2\n" for n, line in enumerate(lines)) + \
            "SEARCHEDLOGSTREAMS\ts\tTrue\n"

    def live_tail(_, lines):
        results = [{"logStreamName": "s", "logGroupIdentifier": "g", "message": line, "timestamp": SECOND * 1000,
                    "ingestionTime": 2} for line in lines]
        return compact({"sessionUpdate": {"sessionMetadata": {"sampled": False}, "sessionResults": results}}) + "\n"

    def tail_json(_, lines):
        return "".join(f"{time(1, '.000000+00:00')} s \n{json.dumps(json.loads(line), indent=4)}\n" for line in lines)

    each = lambda wrap: lambda _, lines: "".join(wrap(line) + "\n" for line in lines)
    return {
        "bare.jsonl": each(lambda line: line),
        "pretty.json": lambda _, lines: "".join(json.dumps(json.loads(line), indent=2) for line in lines),
        "array.json": lambda _, lines: "[" + ",\n".join(lines) + "]\n",
        "gzip.jsonl.gz": lambda _, lines: gzip.compress("".join(line + "\n" for line in lines).encode(), mtime=0),
        "subscription.jsonl": subscription,
        "awslogs.json": lambda file, lines: compact({"awslogs": {"data": data(envelope(file, lines))}}) + "\n",
        "kinesis.jsonl": lambda file, lines: compact(
            {"Records": [{"SequenceNumber": "1", "Data": data(envelope(file, lines)), "PartitionKey": "p"}]}) + "\n",
        "firehose.json": lambda file, lines: "".join(
            compact(envelope(file, [line])).replace(f"{file.id:028d}{0:028d}", f"{file.id:028d}{n:028d}")
            for n, line in enumerate(lines)),
        "filter-log-events.json": page,
        "filter-log-events.tsv": text_page,
        "get-log-events.json": lambda _, lines: json.dumps(
            {"events": [{"timestamp": 1, "message": line, "ingestionTime": 2} for line in lines],
             "nextForwardToken": "f/1", "nextBackwardToken": "b/1"}, indent=4) + "\n",
        "insights.json": insights,
        "live-tail.jsonl": live_tail,
        "tail-detailed.log": each(lambda line: f"{time(1, '.000000+00:00')} s {line}"),
        "tail-colour.log": each(lambda line: f"\x1b[32m{time(1, '+00:00')}\x1b[0m \x1b[36ms\x1b[0m {line}"),
        "tail-short.log": each(lambda line: f"{time(1, '')} {line}"),
        "tail-json.log": tail_json,
        "export.log": each(lambda line: f"{time(1, '.000Z')} {line}"),
        "docker.log": docker,
        "cri.log": cri,
        "fluent-bit.jsonl": each(lambda line: compact({"log": line, "container_name": "c", "ecs_cluster": "e"})),
        "journal.jsonl": each(lambda line: compact({"MESSAGE": line, "_HOSTNAME": "h", "PRIORITY": "6"})),
        "syslog.log": each(lambda line: f"<14>1 {time(1, '.123Z')} ip-10-0-12-34 chat 812 - - {line}"),
        "logger.log": each(lambda line: f"2026-09-02 14:00:01,123 INFO  [main] LLM - {line}"),
    }


def application():
    file = File("application.jsonl")
    base = {"timestamp": time(1), "model_id": "anthropic.claude-v2:1"}
    kind = "application"
    usage = {"input": 4502, "output": 128}
    file.call("ok", usage, CLAUDE, kind)
    file.call("ok", usage, CLAUDE, kind)
    file.call("filtered", {"input": 4502}, CLAUDE, kind)
    file.call("throttled", {}, {}, kind)
    file.line("unknown", "ignored")
    return file.write("".join(compact(line) + "\n" for line in [
        {**base, "level": "INFO", "message": "Model invocation successful", "request_id": "golden-1",
         "usage": {"input_tokens": 4502, "output_tokens": 128, "total_tokens": 4630}, "billing_estimate_usd": 0.078},
        {**base, "prompt_tokens": 4502, "completion_tokens": 128, "request_id": "golden-2"},
        {**base, "usage": {"prompt_tokens": 4502, "completion_tokens": 0}, "finish_reason": "content_filter"},
        {**base, "error": "An error occurred (ThrottlingException) when calling the InvokeModel operation"},
        {"timestamp": time(2), "level": "INFO", "message": "done"},
    ]))


def embedded_metrics():
    file = File("emf.jsonl")
    aws = lambda namespace: {"Timestamp": SECOND * 1000, "CloudWatchMetrics": [
        {"Namespace": namespace, "Dimensions": [["model"]], "Metrics": [{"Name": "InputTokens"}]}]}
    file.call("ok", {"input": 4502, "output": 128}, CLAUDE, "application")
    for tokens in [{"input": 10, "output": 4}, {"input": 20, "output": 5}, {"input": 30, "output": 6}]:
        file.call("ok", tokens, CLAUDE, "application")
    file.line("application", "duplicate", 3)
    file.line("unknown", "bad_token_count", 2)
    file.line("cloudwatch_metric")
    file.signal('cloudwatch_requests_total{result="throttled"}', 7)
    three = {"_aws": aws("LLM/App"), "model": "anthropic.claude-v2:1", "InputTokens": [10, 20, 30],
             "OutputTokens": [4, 5, 6], "LatencyMs": [100.5, 90, 80], "request_id": file.request_id(1)}
    return file.write("".join(compact(line) + "\n" for line in [
        {"_aws": aws("LLM/App"), "model": "anthropic.claude-v2:1", "InputTokens": 4502, "OutputTokens": 128},
        {"_aws": aws("LLM/App"), "model": "anthropic.claude-v2:1", "InputTokens": "many", "OutputTokens": 1},
        three,
        three,
        {"_aws": aws("LLM/App"), "model": "anthropic.claude-v2:1", "InputTokens": [10, 20], "OutputTokens": [4]},
        {"_aws": aws("AWS/Bedrock"), "ModelId": "anthropic.claude-v2:1", "InvocationThrottles": [3, 4]},
    ]))


def batch():
    answers = File("batch-output.jsonl.out")
    for _ in range(2):
        answers.call("ok", {"input": 100, "output": 20}, {"input": 0, "output": 0}, "batch_output")
    answers.call("validation", {}, {}, "batch_output")
    usage = {"modelOutput": {"stop_reason": "end_turn", "usage": {"input_tokens": 100, "output_tokens": 20}}}
    manifest = File("batch-manifest.json.out")
    manifest.line("batch_manifest")
    manifest.signal('batch_manifest_records_total{result="success"}', 2)
    manifest.signal('batch_manifest_records_total{result="error"}', 1)
    manifest.signal('batch_manifest_tokens_total{token_class="input"}', 200)
    return [
        answers.write("".join(compact(line) + "\n" for line in [
            {"recordId": "a", "modelInput": {"usage": {"input_tokens": 9}}, **usage},
            {"recordId": "b", "modelInput": {}, **usage},
            {"recordId": "c", "modelInput": {}, "error": {"errorCode": 400, "errorMessage": "m"}}])),
        manifest.write(compact({"totalRecordCount": 3, "processedRecordCount": 3, "successRecordCount": 2,
                                "errorRecordCount": 1, "inputTokenCount": 200, "outputTokenCount": 40})),
    ]


def cloudtrail():
    def events(file):
        base = {"eventVersion": "1.11", "userIdentity": {"type": "AssumedRole", "arn": ROLE},
                "eventTime": time(1), "eventSource": "bedrock.amazonaws.com", "eventName": "InvokeModel",
                "awsRegion": "us-east-1", "requestParameters": {"modelId": "anthropic.claude-v2:1"},
                "responseElements": None, "recipientAccountId": "444455556666"}
        file.line("cloudtrail", count=3)
        file.line("unknown", "ignored")
        file.signal('cloudtrail_calls_total{outcome="ok"}')
        file.signal('cloudtrail_calls_total{outcome="throttled"}')
        file.signal('cloudtrail_calls_total{endpoint="vpc"}')
        return [{**base, "eventID": f"{file.id}-1"}, {**base, "eventID": f"{file.id}-2", "errorCode": "ThrottlingException"},
                {**base, "eventID": f"{file.id}-3", "errorCode": "AccessDenied", "vpcEndpointId": "vpce-1"},
                {**base, "eventID": f"{file.id}-4", "eventName": "ListFoundationModels"}]

    single, bus, whole = File("cloudtrail.jsonl"), File("cloudtrail-bus.jsonl"), File("cloudtrail-records.json")
    return [
        single.write("".join(compact(one) + "\n" for one in events(single))),
        bus.write("".join(compact({"version": "0", "detail-type": "AWS API Call via CloudTrail",
                                   "source": "aws.bedrock", "detail": one}) + "\n" for one in events(bus))),
        whole.write(json.dumps({"Records": events(whole)}, indent=2)),
    ]


def metrics():
    stream, query = File("metric-stream.jsonl"), File("get-metric-data.json")
    point = lambda name, dimensions, value, namespace="AWS/Bedrock": {
        "metric_stream_name": "m", "account_id": "444455556666", "region": "eu-west-1", "namespace": namespace,
        "metric_name": name, "dimensions": dimensions, "timestamp": SECOND * 1000,
        "value": {"max": value, "min": 0.0, "sum": value, "count": 2.0}, "unit": "Count"}
    model, queue = {"ModelId": "anthropic.claude-v2:1"}, {"QueueName": "golden"}
    points = [point("Invocations", model, 12.0), point("InvocationThrottles", model, 3.0),
              point("Invocations", model, 12.0), point("Invocations", {**model, "ServiceTier": "flex"}, 4.0),
              point("ApproximateAgeOfOldestMessage", queue, 90.0, "AWS/SQS")]
    stream.line("cloudwatch_metric", count=3)
    stream.line("cloudwatch_metric", "duplicate")
    stream.line("unknown", "ignored")
    stream.signal('cloudwatch_requests_total{result="ok",region="eu-west-1"}', 12)
    stream.signal('cloudwatch_requests_total{result="throttled"}', 3)
    stream.signal('queue_oldest_message_age_seconds{queue="golden"}', 90)
    times = [time(60, "+00:00"), time(0, "+00:00")]
    query.line("cloudwatch_metric", count=2)
    query.line("unknown", "ignored")
    query.signal('cloudwatch_requests_total{result="server_error"}', 5)
    return [
        stream.write("".join(compact(one) + "\n" for one in points)),
        query.write(json.dumps({"MetricDataResults": [
            {"Id": "a", "Label": "InvocationServerErrors anthropic.claude-v2:1", "Timestamps": times, "Values": [5.0, 0.0]},
            {"Id": "b", "Label": "InvocationLatency anthropic.claude-v2:1", "Timestamps": times, "Values": [9.0, 8.0]},
        ], "Messages": []}, indent=4)),
    ]


def lambdas():
    text, system = File("lambda.log"), File("lambda.jsonl")
    report = "REPORT RequestId: {}\tDuration: {} ms\tBilled Duration: 7000 ms\tMemory Size: 512 MB\tMax Memory Used: 143 MB"
    text.line("lambda", count=2)
    text.line("error_log")
    text.line("unknown", "ignored", 3)
    text.signal('lambda_invocations_total{outcome="timeout"}')
    text.signal('lambda_init_duration_seconds_count{function="unknown"}')
    text.signal('lambda_invocations_total{outcome="unknown"}')
    text.signal('log_errors_total{model="unknown",outcome="timeout"}')
    system.line("lambda", count=3)
    system.line("unknown", "ignored")
    system.signal('lambda_invocations_total{outcome="ok"}')
    system.signal('lambda_init_failures_total{outcome="timeout"}')
    system.signal('lambda_logs_dropped_total{function="unknown"}', 12)
    one = lambda kind, record: {"time": time(1, ".000Z"), "type": f"platform.{kind}", "record": record}
    return [
        text.write("\n".join([
            "INIT_START Runtime Version: python:3.12.v18\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:00",
            "START RequestId: a Version: $LATEST", "END RequestId: a",
            report.format("a", "6123.44") + "\tInit Duration: 812.55 ms\t",
            f"{time(40, '.003Z')} 43ac3fea-fbc5-46d6-a3be-f8da3c4d3c6e Task timed out after 29.00 seconds",
            report.format("b", "29000.00") + "\tStatus: timeout"]) + "\n"),
        system.write("".join(compact(line) + "\n" for line in [
            one("start", {"requestId": "c"}),
            one("report", {"requestId": "c", "status": "success", "metrics": {"durationMs": 1.5, "billedDurationMs": 2}}),
            one("initReport", {"status": "timeout", "metrics": {"durationMs": 9999.1}}),
            one("logsDropped", {"droppedRecords": 12, "droppedBytes": 9912})])),
    ]


def gateway():
    file = File("api-gateway.jsonl")
    line = lambda n, status, behind, error="-": {
        "requestId": f"g-{n}", "requestTime": "02/Sep/2026:14:00:01 +0000", "httpMethod": "POST",
        "resourcePath": "/golden", "status": status, "integrationStatus": behind, "responseLatency": "29003",
        "errorResponseType": error}
    file.line("api_gateway", count=3)
    file.line("unknown", "invalid_json")
    file.signal('gateway_requests_total{route_path="/golden",status="200"}', 2)
    file.signal('gateway_errors_total{route_path="/golden",outcome="timeout"}')
    file.signal('gateway_errors_total{route_path="/golden",outcome="throttled"}')
    lines = [line(1, "200", "200"), line(2, "504", "-", "INTEGRATION_TIMEOUT"), line(3, 200, 429)]
    # What API Gateway writes where a template quotes a text that is quoted already.
    return file.write("".join(compact(one) + "\n" for one in lines) + '{"requestId":"g-4","error":""late""}\n')


def texts():
    file = File("errors.log")
    file.line("error_log", count=3)
    file.line("unknown", "ignored", 2)
    file.signal('log_errors_total{outcome="unavailable"}')
    file.signal('log_errors_total{region="us-east-1",outcome="timeout"}')
    file.signal('log_retries_exhausted_total{outcome="throttled"}')
    return file.write("\n".join([
        "INFO: nothing of note about ThrottlingException",
        "FATAL: Upstream \"aws ai\" service unreachable via VPC Endpoint.",
        "Traceback (most recent call last):",
        "botocore.exceptions.ConnectTimeoutError: Connect timeout on endpoint URL: "
        "\"https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-v2:1/invoke\"",
        "botocore.errorfactory.ThrottlingException: An error occurred (ThrottlingException) when calling the "
        "InvokeModel operation (reached max retries: 4): Too many requests"]) + "\n")


def notifications():
    file = File("s3-events.jsonl")
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": time(1), "s3": {}}
    file.line("unknown", "ignored", 4)
    return file.write("".join(compact(line) + "\n" for line in [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": time(1)},
        {"Records": [record]},
        {"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": compact({"Records": [record]})},
        {"version": "0", "detail-type": "Object Created", "source": "aws.s3", "detail": {"bucket": {"name": "b"}}}]))


def main():
    os.makedirs(LOGS, exist_ok=True)
    all_files = [wrapped(name, wrap) for name, wrap in wrappings().items()]
    all_files += [application(), embedded_metrics(), gateway(), texts(), notifications()]
    all_files += batch() + cloudtrail() + metrics() + lambdas()
    with open(os.path.join(HERE, "expected.json"), "w", encoding="utf-8") as out:
        json.dump(all_files, out, indent=1)
        out.write("\n")


main()
