import { DigiKeySimulator } from "@effect-credentials/digikey/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, FastCheck, Fiber, Inspectable, Redacted, TestClock } from "effect"
import { exchange, lists, refresh, type Simulator, statusOf, tokenCall, tokensOf } from "./calls.js"

const { TokenEndpoint } = DigiKeySimulator

const thirtyDays = 30 * 24 * 3600

describe("the exchange of a code", () => {
  it.effect("gives an access token for 60 minutes and a refresh token, as documented", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const response = yield* exchange(simulator, yield* simulator.authorize())
      const { accessToken, refreshToken } = yield* tokensOf(response)
      assert.strictEqual(response.status, 200)
      assert.notStrictEqual(refreshToken, "")
      assert.deepStrictEqual(yield* response.json, {
        access_token: accessToken,
        token_type: "Bearer",
        expires_in: 3600,
        refresh_token: refreshToken
      })
      yield* TestClock.adjust("3599 seconds")
      assert.strictEqual(yield* lists(simulator, accessToken), 200)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* lists(simulator, accessToken), 401)
    }))

  it.effect("replies with the observed lifetimes when made so, and they are true", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make({ expiresIn: 1798, refreshTokenExpiresIn: 7775999 })
      const response = yield* exchange(simulator, yield* simulator.authorize())
      const { accessToken, refreshToken } = yield* tokensOf(response)
      assert.include(yield* response.json, { expires_in: 1798, refresh_token_expires_in: 7775999 })
      yield* TestClock.adjust("1798 seconds")
      assert.strictEqual(yield* lists(simulator, accessToken), 401)
      yield* TestClock.adjust(`${7775999 - 1798 - 1} seconds`)
      assert.strictEqual((yield* simulator.stats).familiesAlive, 1)
      const renewed = yield* tokensOf(yield* refresh(simulator, refreshToken))
      yield* TestClock.adjust("7775999 seconds")
      assert.strictEqual(yield* statusOf(refresh(simulator, renewed.refreshToken)), 401)
    }))

  it.effect("is refused to another client and with another redirect URI, which use the code up in no way", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      yield* simulator.addAccount({ clientId: "other", clientSecret: "other-secret" })
      const authorized = yield* simulator.authorize({ redirectUri: "https://app.example/callback" })
      const other = { client_id: "other", client_secret: "other-secret" }
      assert.strictEqual(yield* statusOf(exchange(simulator, authorized, other)), 400)
      assert.strictEqual(
        yield* statusOf(exchange(simulator, authorized, { redirect_uri: "https://app.example/callback/" })),
        400
      )
      assert.strictEqual(yield* statusOf(exchange(simulator, authorized)), 200)
    }))

  it.effect("is refused ten minutes after the consent, or earlier when made so", () =>
    Effect.gen(function*() {
      for (const [seconds, options] of [[600, {}], [60, { codeLifetime: "1 minute" }]] as const) {
        const simulator = yield* DigiKeySimulator.make(options)
        const [early, late] = [yield* simulator.authorize(), yield* simulator.authorize()]
        yield* TestClock.adjust(`${seconds - 1} seconds`)
        assert.strictEqual(yield* statusOf(exchange(simulator, early)), 200)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* statusOf(exchange(simulator, late)), 400)
        assert.strictEqual((yield* simulator.stats).familiesAlive, 1)
      }
    }))

  it.effect("happens once: a second one takes what the first gave with it (RFC 6749 §4.1.2)", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make({ tokenErrorDialect: "E" })
      const bystander = yield* simulator.signIn()
      const authorized = yield* simulator.authorize()
      const first = yield* tokensOf(yield* exchange(simulator, authorized))
      const renewed = yield* tokensOf(yield* refresh(simulator, first.refreshToken))
      const second = yield* exchange(simulator, authorized)
      assert.strictEqual(second.status, 400)
      assert.deepInclude(yield* second.json, { error: "invalid_grant" })
      assert.strictEqual(yield* lists(simulator, first.accessToken), 401)
      assert.strictEqual(yield* lists(simulator, renewed.accessToken), 401)
      assert.strictEqual(yield* statusOf(refresh(simulator, renewed.refreshToken)), 400)
      assert.strictEqual(yield* lists(simulator, bystander.accessToken), 200)
      assert.include(yield* simulator.stats, { familiesRevoked: 1, familiesAlive: 1, refreshTokensReused: 0 })
    }))

  it.effect("needs a code and a redirect URI", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make({ tokenErrorDialect: "E" })
      const authorized = yield* simulator.authorize()
      for (const missing of [{ code: "" }, { redirect_uri: "" }]) {
        const response = yield* exchange(simulator, authorized, missing)
        assert.strictEqual(response.status, 400)
        assert.deepInclude(yield* response.json, { error: "invalid_request" })
      }
      assert.strictEqual(yield* statusOf(exchange(simulator, authorized, { code: "guess" })), 400)
      assert.strictEqual(yield* statusOf(exchange(simulator, authorized, { client_secret: "wrong" })), 401)
      assert.strictEqual(yield* statusOf(exchange(simulator, authorized)), 200)
    }))
})

describe("a refresh token", () => {
  it.effect("is replaced each time it is redeemed, and both access tokens are good until they expire", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const login = yield* simulator.signIn()
      yield* TestClock.adjust("10 minutes")
      const first = yield* tokensOf(yield* refresh(simulator, login.refreshToken))
      const second = yield* tokensOf(yield* refresh(simulator, first.refreshToken))
      const refreshTokens = [Redacted.value(login.refreshToken), first.refreshToken, second.refreshToken]
      assert.strictEqual(new Set(refreshTokens).size, 3)
      yield* TestClock.adjust("49 minutes")
      assert.strictEqual(yield* lists(simulator, login.accessToken), 200)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* lists(simulator, login.accessToken), 401)
      assert.strictEqual(yield* lists(simulator, second.accessToken), 200)
      assert.include(yield* simulator.stats, { refreshTokensRedeemed: 2, refreshTokensReused: 0, familiesAlive: 1 })
    }))

  it.effect("that was redeemed before is refused, and takes the whole family with it (RFC 9700 §4.14.2)", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const bystander = yield* simulator.signIn()
      const application = yield* tokensOf(yield* tokenCall(simulator, { grant_type: "client_credentials" }))
      const login = yield* simulator.signIn()
      const renewed = yield* tokensOf(yield* refresh(simulator, login.refreshToken))
      assert.strictEqual(yield* lists(simulator, renewed.accessToken), 200)

      assert.strictEqual(yield* statusOf(refresh(simulator, login.refreshToken)), 401)
      assert.strictEqual(yield* lists(simulator, login.accessToken), 401)
      assert.strictEqual(yield* lists(simulator, renewed.accessToken), 401)
      assert.strictEqual(yield* statusOf(refresh(simulator, renewed.refreshToken)), 401)
      assert.strictEqual(yield* statusOf(refresh(simulator, login.refreshToken)), 401)
      assert.include(yield* simulator.stats, {
        refreshTokensRedeemed: 1,
        refreshTokensReused: 2,
        familiesRevoked: 1,
        familiesAlive: 1
      })

      assert.strictEqual(yield* lists(simulator, bystander.accessToken), 200)
      assert.strictEqual(yield* statusOf(refresh(simulator, bystander.refreshToken)), 200)
      const { clientId } = yield* simulator.credentials
      const categories = simulator.httpClient.get("https://api.digikey.com/products/v4/search/categories", {
        headers: { Authorization: `Bearer ${application.accessToken}`, "X-DIGIKEY-Client-Id": clientId }
      })
      assert.strictEqual(yield* statusOf(categories), 200)
    }))

  it.effect("that two redeem at the same time is given to one, and lost to both", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const { refreshToken } = yield* simulator.signIn()
      const replies = yield* Effect.all([refresh(simulator, refreshToken), refresh(simulator, refreshToken)], {
        concurrency: "unbounded"
      })
      assert.sameMembers(replies.map(({ status }) => status), [200, 401])
      assert.include(yield* simulator.stats, { refreshTokensRedeemed: 1, refreshTokensReused: 1, familiesAlive: 0 })
    }))

  it.effect("is refused in two dialects: DigiKey's 401, and RFC 6749's 400", () =>
    Effect.gen(function*() {
      const digikey = yield* refresh(yield* DigiKeySimulator.make(), "guess")
      assert.strictEqual(digikey.status, 401)
      assert.deepStrictEqual(yield* digikey.json, {
        ErrorResponseVersion: "3.0.0.0",
        StatusCode: 401,
        ErrorMessage: "Invalid RefreshToken",
        ErrorDetails: "The refresh token is invalid, expired or was used before",
        RequestId: "00000000-0000-4000-8000-000000000001",
        ValidationErrors: []
      })
      const standard = yield* refresh(yield* DigiKeySimulator.make({ tokenErrorDialect: "E" }), "guess")
      assert.strictEqual(standard.status, 400)
      assert.deepStrictEqual(yield* standard.json, {
        error: "invalid_grant",
        error_description: "The refresh token is invalid, expired or was used before"
      })
    }))

  it.effect("expires 30 days after it was issued itself, and is refused as any other then", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const login = yield* simulator.signIn()
      yield* TestClock.adjust(`${thirtyDays - 1} seconds`)
      const { refreshToken } = yield* tokensOf(yield* refresh(simulator, login.refreshToken))
      yield* TestClock.adjust(`${thirtyDays - 1} seconds`)
      assert.strictEqual((yield* simulator.stats).familiesAlive, 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* simulator.stats).familiesAlive, 0)
      const refused = yield* refresh(simulator, refreshToken)
      assert.strictEqual(refused.status, 401)
      assert.deepInclude(yield* refused.json, { ErrorMessage: "Invalid RefreshToken" })
      assert.include(yield* simulator.stats, { familiesRevoked: 0, refreshTokensReused: 0 })
    }))

  it.effect("is refused to another client, and without a secret, and stays good", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      yield* simulator.addAccount({ clientId: "other", clientSecret: "other-secret" })
      const login = yield* simulator.signIn()
      const other = { client_id: "other", client_secret: "other-secret" }
      assert.strictEqual(yield* statusOf(refresh(simulator, login.refreshToken, other)), 401)
      assert.strictEqual(yield* statusOf(refresh(simulator, login.refreshToken, { client_secret: "wrong" })), 401)
      assert.strictEqual(yield* statusOf(refresh(simulator, login.refreshToken, { client_secret: "" })), 400)
      assert.strictEqual(yield* statusOf(refresh(simulator, "")), 400)
      const renewed = yield* refresh(simulator, login.refreshToken)
      assert.strictEqual(renewed.status, 200)
      assert.strictEqual(yield* statusOf(refresh(simulator, login.refreshToken, other)), 401)
      assert.include(yield* simulator.stats, { refreshTokensReused: 0, familiesAlive: 1 })
    }))

  it.effect("stays good while the reply leaves out a new one", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make({ refreshTokenExpiresIn: 7775999 })
      const login = yield* simulator.signIn()
      for (const absent of [undefined, null, ""]) {
        yield* simulator.setTokenReply({ refresh_token: absent })
        const response = yield* refresh(simulator, login.refreshToken)
        const { accessToken } = yield* tokensOf(response)
        assert.deepStrictEqual(yield* response.json, {
          access_token: accessToken,
          token_type: "Bearer",
          expires_in: 3600,
          ...(absent === undefined ? {} : { refresh_token: absent })
        })
        assert.strictEqual(yield* lists(simulator, accessToken), 200)
      }
      yield* simulator.setTokenReply({})
      const replaced = yield* tokensOf(yield* refresh(simulator, login.refreshToken))
      assert.notStrictEqual(replaced.refreshToken, Redacted.value(login.refreshToken))
      assert.include(yield* simulator.stats, { refreshTokensRedeemed: 4, refreshTokensReused: 0, familiesAlive: 1 })
      assert.strictEqual(yield* statusOf(refresh(simulator, login.refreshToken)), 401)
    }))

  it.effect("lives as long as a reply that was told to say so says", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      yield* simulator.setTokenReply({ expires_in: 20, refresh_token_expires_in: "60" })
      const login = yield* simulator.signIn()
      assert.strictEqual(login.expiresIn, 20)
      assert.strictEqual(login.refreshExpiresIn, 60)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(yield* lists(simulator, login.accessToken), 401)
      yield* TestClock.adjust("40 seconds")
      assert.strictEqual(yield* statusOf(refresh(simulator, login.refreshToken)), 401)
    }))
})

describe("a token endpoint that misbehaves", () => {
  const redeemable = (simulator: Simulator, { refreshToken }: DigiKeySimulator.SignedIn) =>
    statusOf(refresh(simulator, refreshToken))

  it.effect("redeems nothing while it is down, hangs, drops or answers what it was told", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const login = yield* simulator.signIn()
      yield* simulator.setTokenEndpoint(TokenEndpoint.Down({ status: 503 }))
      assert.strictEqual(yield* redeemable(simulator, login), 503)
      yield* simulator.setTokenEndpoint(TokenEndpoint.Reply({ status: 200, body: "{}" }))
      assert.strictEqual(yield* redeemable(simulator, login), 200)
      yield* simulator.setTokenEndpoint(TokenEndpoint.Dropping())
      assert.isTrue(Exit.isFailure(yield* Effect.exit(redeemable(simulator, login))))
      yield* simulator.setTokenEndpoint(TokenEndpoint.Hanging())
      const fiber = yield* Effect.fork(Effect.timeout(redeemable(simulator, login), "10 seconds"))
      yield* TestClock.adjust("10 seconds")
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
      yield* simulator.setTokenEndpoint(TokenEndpoint.Healthy())
      assert.strictEqual((yield* simulator.stats).refreshTokensRedeemed, 0)
      assert.strictEqual(yield* redeemable(simulator, login), 200)
    }))

  it.effect("can replace a refresh token and lose the reply: the next try revokes the family", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const login = yield* simulator.signIn()
      yield* simulator.setTokenEndpoint(TokenEndpoint.Dropping({ applied: true }), { times: 1 })
      const lost = yield* Effect.exit(redeemable(simulator, login))
      assert.isTrue(Exit.isFailure(lost) && Cause.isFailure(lost.cause))
      assert.include(yield* simulator.stats, {
        refreshTokensRedeemed: 1,
        tokensIssued: 1,
        dropped: 1,
        familiesAlive: 1
      })
      assert.strictEqual(yield* redeemable(simulator, login), 401)
      assert.include(yield* simulator.stats, { refreshTokensReused: 1, familiesAlive: 0 })
    }))

  it.effect("can lose a reply without having replaced anything, when it does not replace", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const login = yield* simulator.signIn()
      yield* simulator.setTokenReply({ refresh_token: undefined })
      yield* simulator.setTokenEndpoint(TokenEndpoint.Dropping({ applied: true }), { times: 1 })
      yield* Effect.exit(redeemable(simulator, login))
      assert.strictEqual(yield* redeemable(simulator, login), 200)
    }))

  it.effect("misbehaves for the next calls only, one set after another, and at once no more when it is healthy", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const call = statusOf(tokenCall(simulator, { grant_type: "client_credentials" }))
      yield* simulator.setTokenEndpoint(TokenEndpoint.Down({ status: 503 }), { times: 2 })
      yield* simulator.setTokenEndpoint(TokenEndpoint.Down({ status: 500 }), { times: 1 })
      yield* simulator.setTokenEndpoint(TokenEndpoint.Down({ status: 502 }), { times: 0 })
      assert.deepStrictEqual(yield* Effect.replicateEffect(call, 4), [503, 503, 500, 200])
      yield* simulator.setTokenEndpoint(TokenEndpoint.Down({ status: 503 }), { times: 2 })
      yield* simulator.setTokenEndpoint(TokenEndpoint.Healthy())
      assert.strictEqual(yield* call, 200)
    }))

  it.effect("replaces the refresh token when the call arrives, though its reply is late and nobody waits", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const login = yield* simulator.signIn()
      yield* simulator.setLatency({ token: "3 seconds" })
      const fiber = yield* Effect.fork(redeemable(simulator, login))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      yield* simulator.setLatency({ token: 0 })
      assert.strictEqual(yield* redeemable(simulator, login), 401)
    }))

  it.effect("can word the reply of a real grant itself, and refuses what it would refuse", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const login = yield* simulator.signIn()
      yield* simulator.setTokenEndpoint(TokenEndpoint.Reply({
        status: 201,
        body: (access_token, refresh_token) => JSON.stringify({ access_token, refresh_token })
      }))
      const response = yield* refresh(simulator, login.refreshToken)
      const { accessToken, refreshToken } = yield* tokensOf(response)
      assert.strictEqual(response.status, 201)
      assert.strictEqual(yield* lists(simulator, accessToken), 200)
      assert.strictEqual(yield* statusOf(refresh(simulator, refreshToken)), 201)
      assert.strictEqual(yield* statusOf(refresh(simulator, refreshToken)), 401)
    }))
})

describe("controls", () => {
  it.effect("sign a person in: an account of its own, secrets that are not printed, and no token call", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make({ refreshTokenExpiresIn: 7775999 })
      const login = yield* simulator.signIn({ account: "ada" })
      assert.strictEqual(login.expiresIn, 3600)
      assert.strictEqual(login.refreshExpiresIn, 7775999)
      assert.notProperty(yield* (yield* DigiKeySimulator.make()).signIn(), "refreshExpiresIn")
      assert.notInclude(Inspectable.toStringUnknown([login, yield* simulator.authorize()]), "simulated")
      assert.strictEqual(yield* lists(simulator, login.accessToken), 200)
      assert.include(yield* simulator.stats, { tokenCalls: 0, tokensIssued: 0, familiesAlive: 1 })
    }))

  it.effect("sign in to another client than the simulator's own", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      yield* simulator.addAccount({ clientId: "other", clientSecret: "other-secret" })
      const { refreshToken } = yield* simulator.signIn({ clientId: "other" })
      assert.strictEqual(yield* statusOf(refresh(simulator, refreshToken)), 401)
      const other = { client_id: "other", client_secret: "other-secret" }
      assert.strictEqual(yield* statusOf(refresh(simulator, refreshToken, other)), 200)
      const authorized = yield* simulator.authorize({ clientId: "other" })
      assert.strictEqual(yield* statusOf(exchange(simulator, authorized)), 400)
      assert.strictEqual(yield* statusOf(exchange(simulator, authorized, other)), 200)
    }))

  it.effect("revoke access tokens, after which a refresh token is still good", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const login = yield* simulator.signIn()
      yield* simulator.revokeTokens
      assert.strictEqual(yield* lists(simulator, login.accessToken), 401)
      const { accessToken } = yield* tokensOf(yield* refresh(simulator, login.refreshToken))
      assert.strictEqual(yield* lists(simulator, accessToken), 200)
      assert.include(yield* simulator.stats, { familiesRevoked: 0, familiesAlive: 1 })
    }))

  it.effect("revoke the one family that a token of either kind belongs to", () =>
    Effect.gen(function*() {
      for (const kind of ["accessToken", "refreshToken"] as const) {
        const simulator = yield* DigiKeySimulator.make()
        const [login, other] = [yield* simulator.signIn(), yield* simulator.signIn()]
        yield* simulator.revokeFamily("guess")
        assert.strictEqual((yield* simulator.stats).familiesAlive, 2)
        yield* simulator.revokeFamily(login[kind])
        assert.include(yield* simulator.stats, { familiesRevoked: 1, familiesAlive: 1 })
        yield* simulator.revokeFamily(Redacted.value(login.refreshToken))
        assert.strictEqual(yield* lists(simulator, login.accessToken), 401)
        assert.strictEqual(yield* statusOf(refresh(simulator, login.refreshToken)), 401)
        assert.strictEqual(yield* lists(simulator, other.accessToken), 200)
        assert.include(yield* simulator.stats, { familiesRevoked: 1, familiesAlive: 1, refreshTokensReused: 0 })
      }
    }))

  it.effect("revoke all logins of one account", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      const ada = [yield* simulator.signIn({ account: "ada" }), yield* simulator.signIn({ account: "ada" })]
      const grace = yield* simulator.signIn({ account: "grace" })
      yield* simulator.revokeUser("ada")
      for (const { accessToken, refreshToken } of ada) {
        assert.strictEqual(yield* lists(simulator, accessToken), 401)
        assert.strictEqual(yield* statusOf(refresh(simulator, refreshToken)), 401)
      }
      assert.strictEqual(yield* lists(simulator, grace.accessToken), 200)
      assert.strictEqual(yield* statusOf(refresh(simulator, grace.refreshToken)), 200)
      assert.include(yield* simulator.stats, { familiesRevoked: 2, familiesAlive: 1 })
    }))

  it.effect("count token calls by grant, whatever became of them", () =>
    Effect.gen(function*() {
      const simulator = yield* DigiKeySimulator.make()
      yield* tokenCall(simulator, { grant_type: "client_credentials" })
      yield* exchange(simulator, yield* simulator.authorize())
      yield* refresh(simulator, "guess")
      yield* simulator.setTokenEndpoint(TokenEndpoint.Down({ status: 503 }), { times: 1 })
      yield* refresh(simulator, "guess")
      yield* tokenCall(simulator, { grant_type: "__proto__" })
      yield* tokenCall(simulator, {})
      assert.deepInclude(yield* simulator.stats, {
        tokenCalls: 6,
        tokenCallsByGrant: { client_credentials: 1, authorization_code: 1, refresh_token: 2, "(other)": 2 },
        tokensIssued: 2,
        tokensRefused: 4
      })
    }))
})

describe("whatever happens", () => {
  /** What can happen to a login; `pick` chooses the login, and a token of it. */
  const step = FastCheck.record({
    what: FastCheck.constantFrom("log in", "renew", "renew", "renew", "present any", "replay", "revoke", "lose", "omit"),
    pick: FastCheck.nat()
  })

  /** What somebody who knows RFC 9700 expects of one login. */
  interface Login {
    readonly authorized: DigiKeySimulator.Authorized
    /** Every refresh token that was issued, oldest first; `undefined` for one whose reply was lost. */
    readonly refreshTokens: Array<string | undefined>
    readonly accessTokens: Array<string>
    revoked: boolean
  }

  const world = Effect.map(DigiKeySimulator.make({ rateLimits: "off" }), (simulator) => {
    const logins: Array<Login> = []
    let omitting = false

    const setOmitting = (omit: boolean) => {
      omitting = omit
      return simulator.setTokenReply(omit ? { refresh_token: undefined } : {})
    }

    const logIn = Effect.gen(function*() {
      yield* setOmitting(false)
      const authorized = yield* simulator.authorize()
      const { accessToken, refreshToken } = yield* tokensOf(yield* exchange(simulator, authorized))
      logins.push({ authorized, refreshTokens: [refreshToken], accessTokens: [accessToken], revoked: false })
    })

    /** Only the newest is good, and of a login that is not revoked; any older one revokes it. */
    const present = (login: Login, index: number) =>
      Effect.gen(function*() {
        const token = login.refreshTokens[index]
        if (token === undefined) return
        const isNewest = index === login.refreshTokens.length - 1
        const response = yield* refresh(simulator, token)
        assert.strictEqual(response.status, isNewest && !login.revoked ? 200 : 401)
        if (response.status !== 200) {
          login.revoked = true
          return
        }
        const { accessToken, refreshToken } = yield* tokensOf(response)
        login.accessTokens.push(accessToken)
        assert.strictEqual(refreshToken === "", omitting)
        if (!omitting) login.refreshTokens.push(refreshToken)
      })

    const presentNewest = (login: Login) => present(login, login.refreshTokens.length - 1)

    const loseReply = (login: Login) =>
      Effect.gen(function*() {
        const newest = login.refreshTokens.at(-1)
        if (newest === undefined || login.revoked) return
        yield* simulator.setTokenEndpoint(TokenEndpoint.Dropping({ applied: true }), { times: 1 })
        yield* Effect.flip(refresh(simulator, newest))
        if (!omitting) login.refreshTokens.push(undefined)
      })

    const take = ({ pick, what }: typeof step extends FastCheck.Arbitrary<infer Step> ? Step : never) =>
      Effect.gen(function*() {
        const login = logins[pick % Math.max(1, logins.length)]
        if (what === "log in" || login === undefined) return yield* logIn
        switch (what) {
          case "renew":
            return yield* presentNewest(login)
          case "present any":
            return yield* present(login, pick % login.refreshTokens.length)
          case "replay":
            assert.strictEqual(yield* statusOf(exchange(simulator, login.authorized)), 400)
            login.revoked = true
            return
          case "revoke":
            yield* simulator.revokeFamily(login.refreshTokens[0] ?? "")
            login.revoked = true
            return
          case "lose":
            return yield* loseReply(login)
          case "omit":
            return yield* setOmitting(!omitting)
        }
      })

    const check = Effect.gen(function*() {
      const { familiesAlive } = yield* simulator.stats
      assert.strictEqual(familiesAlive, logins.filter(({ revoked }) => !revoked).length)
    })

    const checkTokens = (login: Login) =>
      Effect.gen(function*() {
        for (const accessToken of login.accessTokens) {
          assert.strictEqual(yield* lists(simulator, accessToken), login.revoked ? 401 : 200)
        }
        const older = login.refreshTokens.length - 1
        yield* presentNewest(login)
        for (let index = 0; index < older; index++) yield* present(login, index)
      })

    const checkEveryToken = Effect.suspend(() => Effect.forEach(logins, checkTokens))

    return { take, check, checkEveryToken }
  })

  it.effect.prop(
    "a login has exactly one refresh token that can be redeemed, or is revoked",
    { steps: FastCheck.array(step, { minLength: 1, maxLength: 40 }) },
    ({ steps }) =>
      Effect.gen(function*() {
        const { check, checkEveryToken, take } = yield* world
        for (const step of steps) yield* Effect.zipRight(take(step), check)
        yield* checkEveryToken
      }),
    { fastCheck: { numRuns: 60 } }
  )
})
