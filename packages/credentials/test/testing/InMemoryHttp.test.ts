import { HttpBody, HttpClient, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Context, Effect, Exit, Fiber, Stream, TestClock } from "effect"
import { InMemoryHttp } from "effect-credentials/testing"

class Greeting extends Context.Tag("Greeting")<Greeting, string>() {}

const echo = Effect.gen(function*() {
  const request = yield* HttpServerRequest.HttpServerRequest
  return HttpServerResponse.unsafeJson({
    method: request.method,
    url: request.url,
    type: request.headers["content-type"] ?? null,
    text: yield* request.text
  })
})

describe("InMemoryHttp", () => {
  it.effect("hands the app method, path, query and body, and the caller a real response", () =>
    Effect.gen(function*() {
      const client = yield* InMemoryHttp.make(Effect.orDie(echo))
      const response = yield* client.post("https://example.com/a%2Fb?x=1#y", { body: HttpBody.text("hi", "text/plain") })
      assert.deepStrictEqual(yield* response.json, { method: "POST", url: "/a%2Fb?x=1", type: "text/plain", text: "hi" })
      const head = yield* client.head("https://example.com/")
      assert.strictEqual(yield* head.text, "")
    }))

  it.effect("carries streams, forms and raw bodies", () =>
    Effect.gen(function*() {
      const client = yield* InMemoryHttp.make(Effect.orDie(echo))
      const send = (body: HttpBody.HttpBody) =>
        client.post("https://example.com/", { body }).pipe(Effect.flatMap((response) => response.text))
      const chunks = Stream.make("a", "b", "c").pipe(Stream.encodeText)
      assert.include(yield* send(HttpBody.stream(chunks, "text/plain")), `"text":"abc"`)
      assert.include(yield* send(HttpBody.raw("raw")), `"text":"raw"`)
      const form = new FormData()
      form.set("k", "v")
      assert.include(yield* send(HttpBody.formData(form)), "multipart/form-data; boundary=")
    }))

  it.effect("reads streams on both sides", () =>
    Effect.gen(function*() {
      const client = yield* InMemoryHttp.make(
        Effect.map(HttpServerRequest.HttpServerRequest, (request) => HttpServerResponse.stream(request.stream))
      )
      const response = yield* client.post("https://example.com/", { body: HttpBody.text("twice") })
      const text = yield* response.stream.pipe(Stream.decodeText(), Stream.runCollect)
      assert.strictEqual(Chunk.join(text, ""), "twice")
    }))

  it.effect("lets the caller's clock and interruption govern the app", () =>
    Effect.gen(function*() {
      const client = yield* InMemoryHttp.make(Effect.delay(Effect.succeed(HttpServerResponse.empty()), "1 minute"))
      const slow = yield* Effect.fork(client.get("https://example.com/"))
      const gone = yield* Effect.fork(client.get("https://example.com/"))
      yield* TestClock.adjust("30 seconds")
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(gone)))
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* Fiber.join(slow)).status, 204)
    }))

  it.effect("turns a dropped connection into a transport error and other failures into responses", () =>
    Effect.gen(function*() {
      for (const app of [
        InMemoryHttp.dropConnection,
        Effect.fail(new InMemoryHttp.ConnectionDropped())
      ]) {
        const client = yield* InMemoryHttp.make(app)
        const error = yield* Effect.flip(client.get("https://example.com/"))
        assert.strictEqual(error._tag, "RequestError")
        assert.strictEqual(error.reason, "Transport")
      }
      const broken = yield* InMemoryHttp.make(Effect.die("broken"))
      assert.strictEqual((yield* broken.get("https://example.com/")).status, 500)
      const impossible = yield* InMemoryHttp.make(Effect.succeed(HttpServerResponse.empty({ status: 999 })))
      assert.strictEqual((yield* Effect.flip(impossible.get("https://example.com/"))).reason, "Transport")
    }))

  it.effect("does not follow a redirect", () =>
    Effect.gen(function*() {
      const client = yield* InMemoryHttp.make(Effect.succeed(HttpServerResponse.redirect("https://elsewhere.example/")))
      assert.strictEqual((yield* client.get("https://example.com/")).status, 302)
    }))

  it.effect("gives the app the services it was made with, not the caller's", () =>
    Effect.gen(function*() {
      const app = Effect.map(Greeting, (greeting) => HttpServerResponse.text(greeting))
      const client = yield* Effect.provideService(InMemoryHttp.make(app), Greeting, "server")
      const response = yield* Effect.provideService(client.get("https://example.com/"), Greeting, "caller")
      assert.strictEqual(yield* response.text, "server")
    }))

  it.effect("routes by origin, and knows no other", () =>
    Effect.gen(function*() {
      const get = (url: string) => Effect.flatMap(HttpClient.HttpClient, (client) => client.get(url))
      assert.strictEqual(yield* Effect.flatMap(get("https://b.example/x"), (response) => response.text), "b")
      for (const url of ["http://a.example/", "https://a.example:8443/", "https://c.example/"]) {
        assert.strictEqual((yield* Effect.flip(get(url))).reason, "Transport")
      }
    }).pipe(Effect.provide(InMemoryHttp.layerByOrigin({
      "https://a.example": Effect.succeed(HttpServerResponse.text("a")),
      "https://b.example/": Effect.succeed(HttpServerResponse.text("b"))
    }))))
})
