import type { Report } from "../oauth/event-report.ts";
import { type AuditEvent, isOfStrangers, logEvent } from "../oauth/events.ts";
import type { DataPoint } from "../oauth/metrics.ts";
import { type Webhook, webhookRequest } from "../oauth/webhook.ts";

/**
 * The bindings that `wrangler.toml` has in comments, because an account may not have them. They are not in the
 * generated `Env`.
 */
interface OptionalBindings {
  EVENTS?: Queue<AuditEvent>;
  METRICS?: AnalyticsEngineDataset;
  CF_VERSION_METADATA?: WorkerVersionMetadata;
}

function withOptional(env: Env): Env & OptionalBindings {
  return env;
}

/** The time that the webhook may take to answer, in milliseconds. */
const ANSWER_MS = 5_000;
/**
 * The delays before a post is tried again without a queue, in milliseconds. With the answers they fit into the 30
 * seconds that a Worker may go on after its response.
 */
const RETRY_DELAYS_MS = [1_000, 4_000];
/** The most posts of an isolate that are under way without a queue. More events are in the log alone. */
const MAX_UNDER_WAY = 100;
/** The most of these that somebody without a credential has caused, so that the others always have room. */
const MAX_OF_STRANGERS = 50;
/** The most posts of one batch of the queue at the same time. A Worker has six connections. */
const MAX_AT_ONCE = 5;
/** The delay before a message of the queue comes again, in seconds. It doubles each time, up to an hour. */
const RETRY_SECONDS = 15;
const MAX_RETRY_SECONDS = 3_600;

let underWay = 0;
let ofStrangersUnderWay = 0;

/**
 * Sends events to the queue, or without a queue to the webhook. It never throws: what fails is in the log, and so are
 * the events themselves.
 *
 * @returns undefined if there is neither, or no event
 */
export function sendEvents(
  env: Env,
  { events, webhook }: Report,
): Promise<void> | undefined {
  if (events.length === 0) return undefined;
  const { EVENTS } = withOptional(env);
  if (EVENTS) return sendToQueue(EVENTS, events);
  return webhook && postAll(webhook, events);
}

async function sendToQueue(
  queue: Queue<AuditEvent>,
  events: readonly AuditEvent[],
): Promise<void> {
  try {
    await queue.sendBatch(events.map((body) => ({ body })));
  } catch (error) {
    for (const event of events) logFailure("queue", error, event);
  }
}

async function postAll(
  webhook: Webhook,
  events: readonly AuditEvent[],
): Promise<void> {
  await Promise.all(events.map((event) => postRepeatedly(webhook, event)));
}

async function postRepeatedly(
  webhook: Webhook,
  event: AuditEvent,
): Promise<void> {
  const ofStrangers = isOfStrangers(event) ? 1 : 0;
  if (
    underWay >= MAX_UNDER_WAY ||
    ofStrangersUnderWay + ofStrangers > MAX_OF_STRANGERS
  )
    return logFailure("webhook", "too many posts are under way", event);
  underWay += 1;
  ofStrangersUnderWay += ofStrangers;
  try {
    for (const delay of RETRY_DELAYS_MS) {
      if ((await problemOfPost(webhook, event)) === undefined) return;
      await scheduler.wait(delay);
    }
    const problem = await problemOfPost(webhook, event);
    if (problem !== undefined) logFailure("webhook", problem, event);
  } finally {
    underWay -= 1;
    ofStrangersUnderWay -= ofStrangers;
  }
}

/** Posts an event once. @returns what was wrong; undefined if the receiver has it */
async function problemOfPost(
  webhook: Webhook,
  event: AuditEvent,
): Promise<string | undefined> {
  try {
    const request = await webhookRequest(webhook, event);
    const signal = AbortSignal.timeout(ANSWER_MS);
    const response = await fetch(request, { signal });
    await response.body?.cancel();
    return response.ok ? undefined : `the answer was ${response.status}`;
  } catch (error) {
    // A URL may have a secret in it.
    return String(error).replaceAll(webhook.url, "the webhook");
  }
}

/**
 * Posts the events of the queue to the webhook. A message that fails comes again, as often as `max_retries` of the
 * consumer says, and then goes to its dead letter queue.
 *
 * @param findWebhook throws if the configuration cannot be read. Then, and without a webhook, all messages come again
 */
export async function postBatch(
  { messages }: MessageBatch<AuditEvent>,
  findWebhook: () => Promise<Webhook | undefined>,
): Promise<void> {
  const webhook = await findWebhook().catch(() => undefined);
  if (!webhook) logFailure("webhook", "no webhook is configured");
  for (let first = 0; first < messages.length; first += MAX_AT_ONCE)
    await Promise.all(
      messages.slice(first, first + MAX_AT_ONCE).map(async (message) => {
        const problem = webhook
          ? await problemOfPost(webhook, message.body)
          : "";
        if (problem === undefined) return message.ack();
        if (problem !== "") logFailure("webhook", problem, message.body);
        const delay = RETRY_SECONDS * 2 ** (message.attempts - 1);
        const delaySeconds = Math.min(delay, MAX_RETRY_SECONDS);
        message.retry({ delaySeconds });
      }),
    );
}

/** Writes a data point where Analytics Engine is bound. */
export function writeDataPoint(
  env: Env,
  make: (version: string | undefined) => DataPoint,
): void {
  const { METRICS, CF_VERSION_METADATA } = withOptional(env);
  if (!METRICS) return;
  try {
    METRICS.writeDataPoint(make(CF_VERSION_METADATA?.id));
  } catch (error) {
    logEvent("event_delivery.failed", { to: "metrics", error: String(error) });
  }
}

function logFailure(to: string, error: unknown, event?: AuditEvent): void {
  logEvent("event_delivery.failed", {
    to,
    error: String(error),
    ...(event && { failed_event: event.event, event_id: event.event_id }),
  });
}
