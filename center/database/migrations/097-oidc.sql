-- People who sign in with OpenID Connect: which account each of them has. The name is taken once, when they come first;
-- somebody else who is given the same name by the provider later is not taken for them.
CREATE TABLE oidc_people (
  issuer     text COLLATE "C" NOT NULL,
  subject    text COLLATE "C" NOT NULL,
  name       text COLLATE "C" NOT NULL UNIQUE REFERENCES credentials (name),
  created_at timestamptz NOT NULL,
  used_at    timestamptz NOT NULL,
  -- The provider gave them no role any more, so the account is revoked until it does. A person who was removed by an
  -- administrator is not.
  lost_role  boolean NOT NULL DEFAULT false,
  PRIMARY KEY (issuer, subject)
);
