/*
 * Main module of the Worker that has the Durable Objects in the upgrade tests. Beside it stand `worker.js`, which is a
 * released Worker or today's, and `clock.js`. This module lets the tests read and write the storage of the objects:
 * GET and PUT /BINDING/ID. POST lets the alarm go off.
 */
import { DurableObject } from "cloudflare:workers";
import { realNow } from "./clock.js";
import * as worker from "./worker.js";

/** An object whose version does not have the class. It keeps what it has, and has none of the calls. */
class Absent extends DurableObject {
  alarm() {}
}

function opened(Class) {
  return class extends Class {
    async fetch(request) {
      if (request.method === "GET")
        return Response.json(await dump(this.ctx.storage));
      if (request.method === "POST") await this.alarm();
      else await load(this.ctx.storage, await request.json());
      return new Response();
    }
  };
}

async function dump(storage) {
  const tables = storage.sql
    .exec(
      "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
    )
    .toArray();
  return {
    kv: Object.fromEntries(
      [...storage.kv.list()].map(([key, value]) => [key, toJson(value)]),
    ),
    tables: tables.map(({ name, sql }) => ({
      name,
      sql,
      rows: storage.sql.exec(`SELECT * FROM "${name}"`).toArray(),
    })),
    alarm: await storage.getAlarm(),
  };
}

async function load(storage, { kv, tables, alarm }) {
  for (const [key, value] of Object.entries(kv))
    storage.kv.put(key, fromJson(value));
  for (const { name, sql, rows } of tables) {
    storage.sql.exec(sql);
    for (const row of rows) {
      const marks = Object.keys(row).map(() => "?");
      const columns = Object.keys(row).join(", ");
      storage.sql.exec(
        `INSERT INTO "${name}" (${columns}) VALUES (${marks.join(", ")})`,
        ...Object.values(row),
      );
    }
  }
  // The runtime's own clock decides about alarms. One that it takes for overdue would go off at once, and one that is due
  // during the test would go off again and again, because the shifted clock is behind.
  if (alarm !== null && alarm > realNow() + 3_600_000)
    await storage.setAlarm(alarm);
}

/** Writes a value as JSON, with bytes as `{"$bytes": hexadecimal}`. */
function toJson(value) {
  if (value instanceof Uint8Array) return { $bytes: value.toHex() };
  if (Array.isArray(value)) return value.map(toJson);
  if (value === null || typeof value !== "object") return value;
  if (Object.getPrototypeOf(value) !== Object.prototype)
    throw new TypeError(
      `${value.constructor.name} has no form in records.json`,
    );
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, toJson(member)]),
  );
}

function fromJson(value) {
  if (Array.isArray(value)) return value.map(fromJson);
  if (value === null || typeof value !== "object") return value;
  if ("$bytes" in value) return Uint8Array.fromHex(value.$bytes);
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, fromJson(member)]),
  );
}

export const TokenFamily = opened(worker.TokenFamily);
export const SubjectIndex = opened(worker.SubjectIndex);
export const KvRecordWriter = opened(worker.KvRecordWriter);
export const LeagueLedger = opened(worker.LeagueLedger);
export const AssertionLedger = opened(worker.AssertionLedger ?? Absent);
export const RegistrationCounter = opened(worker.RegistrationCounter ?? Absent);

export default {
  fetch(request, env) {
    const [, binding, id] = new URL(request.url).pathname.split("/");
    const namespace = env[binding];
    return namespace.get(namespace.idFromString(id)).fetch(request);
  },
};
