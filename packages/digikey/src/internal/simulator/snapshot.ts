import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import type * as Grants from "./grants.js"
import type { Lists } from "./myLists.js"
import type { Quote } from "./quotes.js"
import type { State } from "./state.js"

/**
 * What outlives a simulator: what it granted (logins, tokens, codes) and what people made there (quotes,
 * lists). It is plain JSON, and `Schema` of the same name reads it back. What is within is the
 * simulator's own business.
 *
 * **The tokens and codes in it are not redacted.** They are made up by a simulator, and good for nothing
 * but a simulator: a file with them is no secret, and must not be a model for one that holds real tokens.
 *
 * @since 0.1.0
 * @category models
 */
export interface Snapshot {
  readonly grants: {
    readonly families: ReadonlyArray<readonly [id: number, Grants.Family]>
    readonly accessTokens: ReadonlyArray<readonly [token: string, Grants.AccessToken]>
    readonly refreshTokens: ReadonlyArray<readonly [token: string, family: number]>
    readonly codes: ReadonlyArray<readonly [code: string, Grants.Code]>
  }
  readonly quotes: ReadonlyArray<Quote>
  readonly lists: Lists
}

// The annotations hold each schema to the interface of its module.

const Family: Schema.Schema<Grants.Family> = Schema.Struct({
  clientId: Schema.String,
  account: Schema.String,
  revoked: Schema.Boolean,
  refreshToken: Schema.String,
  refreshExpiresAt: Schema.JsonNumber
})

const AccessToken: Schema.Schema<Grants.AccessToken> = Schema.Struct({
  clientId: Schema.String,
  expiresAt: Schema.JsonNumber,
  login: Schema.optional(Schema.Struct({ account: Schema.String, family: Schema.Int }))
})

const Code: Schema.Schema<Grants.Code> = Schema.Struct({
  clientId: Schema.String,
  account: Schema.String,
  redirectUri: Schema.String,
  expiresAt: Schema.JsonNumber,
  family: Schema.optional(Schema.Int)
})

const Quote: Schema.Schema<Quote> = Schema.Struct({
  account: Schema.String,
  id: Schema.Int,
  name: Schema.String,
  created: Schema.JsonNumber,
  lines: Schema.Array(Schema.Struct({
    ProductNumber: Schema.String,
    CustomerReference: Schema.optional(Schema.String),
    Quantities: Schema.Array(Schema.Int)
  }))
})

const Lists: Schema.Schema<Lists> = Schema.Struct({
  made: Schema.Int,
  all: Schema.Array(Schema.Struct({
    account: Schema.String,
    id: Schema.String,
    name: Schema.String,
    created: Schema.JsonNumber,
    parts: Schema.Array(Schema.Struct({ requested: Schema.String, quantities: Schema.Array(Schema.Int) }))
  }))
})

/**
 * @since 0.1.0
 * @category schemas
 */
export const Snapshot: Schema.Schema<Snapshot> = Schema.Struct({
  grants: Schema.Struct({
    families: Schema.Array(Schema.Tuple(Schema.Int, Family)),
    accessTokens: Schema.Array(Schema.Tuple(Schema.String, AccessToken)),
    refreshTokens: Schema.Array(Schema.Tuple(Schema.String, Schema.Int)),
    codes: Schema.Array(Schema.Tuple(Schema.String, Code))
  }),
  quotes: Schema.Array(Quote),
  lists: Lists
})

export const take = (state: State): Effect.Effect<Snapshot> =>
  Effect.gen(function*() {
    const { accessTokens, codes, families, refreshTokens } = yield* Ref.get(state.grants)
    return {
      grants: {
        families: HashMap.toEntries(families),
        accessTokens: HashMap.toEntries(accessTokens),
        refreshTokens: HashMap.toEntries(refreshTokens),
        codes: HashMap.toEntries(codes)
      },
      quotes: yield* Ref.get(state.quotes),
      lists: yield* Ref.get(state.lists)
    }
  })

/**
 * What was granted before, over `fresh`. The salt stays that of `fresh`: two simulators made from one
 * snapshot must not issue the same token for two logins.
 */
export const restoreGrants = (fresh: Grants.Grants, { grants }: Snapshot): Grants.Grants => ({
  ...fresh,
  families: HashMap.fromIterable(grants.families),
  accessTokens: HashMap.fromIterable(grants.accessTokens),
  refreshTokens: HashMap.fromIterable(grants.refreshTokens),
  codes: HashMap.fromIterable(grants.codes)
})
