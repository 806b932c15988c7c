-- Catalogs and trouble rules: a put makes a new revision, none is ever changed.
CREATE TABLE documents (
  number   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind     text NOT NULL CHECK (kind IN ('catalog', 'rules')),
  name     text NOT NULL,
  document jsonb NOT NULL,
  put_at   timestamptz NOT NULL DEFAULT now(),
  put_by   text NOT NULL,
  UNIQUE (kind, name)
);
CREATE INDEX documents_current ON documents (kind, number DESC);

-- How printers report: the fleet's default, and what single printers have instead.
CREATE TABLE policies (
  scope    text NOT NULL CHECK (scope IN ('default', 'printer')),
  key      text COLLATE "C" NOT NULL DEFAULT '',
  document jsonb NOT NULL,
  set_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (scope, key)
);

-- What printers told of their orders.
CREATE TABLE update_reports (
  printer   text COLLATE "C" NOT NULL,
  execution text COLLATE "C" NOT NULL,
  attempt   integer NOT NULL,
  seq       bigint NOT NULL,
  state     text NOT NULL,
  document  jsonb NOT NULL,
  received  timestamptz NOT NULL,
  PRIMARY KEY (execution, printer, attempt, seq)
);

CREATE TABLE audit (
  id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at      timestamptz NOT NULL DEFAULT now(),
  actor   text COLLATE "C" NOT NULL,
  role    text NOT NULL,
  method  text NOT NULL,
  params  jsonb NOT NULL,
  outcome text NOT NULL
);
CREATE INDEX audit_actor  ON audit (actor, id DESC);
CREATE INDEX audit_method ON audit (method, id DESC);

-- The broker's retained messages.
CREATE TABLE retained (
  topic   text COLLATE "C" PRIMARY KEY,
  qos     smallint NOT NULL,
  payload bytea NOT NULL,
  at      timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
