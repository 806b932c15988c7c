-- Who is signed in over HTTP, and what programs sign in with. Of both only the hash of the secret is kept.
CREATE TABLE sessions (
  hash       bytea PRIMARY KEY,
  name       text COLLATE "C" NOT NULL REFERENCES credentials (name),
  -- How they signed in: password or oidc.
  how        text COLLATE "C" NOT NULL,
  created_at timestamptz NOT NULL,
  used_at    timestamptz NOT NULL,
  ends_at    timestamptz NOT NULL
);
CREATE INDEX sessions_name ON sessions (name, created_at);
CREATE INDEX sessions_ends ON sessions (ends_at);

CREATE TABLE tokens (
  id         text COLLATE "C" PRIMARY KEY,
  hash       bytea NOT NULL UNIQUE,
  name       text NOT NULL,
  owner      text COLLATE "C" NOT NULL REFERENCES credentials (name),
  role       text COLLATE "C" NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  created_at timestamptz NOT NULL,
  ends_at    timestamptz NOT NULL,
  used_at    timestamptz,
  revoked_at timestamptz
);
CREATE INDEX tokens_owner ON tokens (owner, created_at, id);
