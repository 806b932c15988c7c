-- Who may connect: printers and people alike. The broker asks here.
CREATE TABLE credentials (
  name       text COLLATE "C" PRIMARY KEY,
  role       text NOT NULL CHECK (role IN ('printer', 'viewer', 'operator', 'admin')),
  hash       text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz
);

-- One row a printer, with what printers are looked for by.
CREATE TABLE printers (
  id            text COLLATE "C" PRIMARY KEY,
  enrolled_at   timestamptz NOT NULL DEFAULT now(),
  online        boolean NOT NULL DEFAULT false,
  session       text,
  presence_at   timestamptz,
  last_seen     timestamptz,
  model         text COLLATE "C",
  serial        text COLLATE "C",
  site          text COLLATE "C",
  labels        jsonb NOT NULL DEFAULT '{}',
  timezone      text,
  verdict       text COLLATE "C",
  open_troubles integer NOT NULL DEFAULT 0
) WITH (fillfactor = 80);
CREATE INDEX printers_model   ON printers (model, id);
CREATE INDEX printers_site    ON printers (site, id);
CREATE INDEX printers_verdict ON printers (verdict, id);
CREATE INDEX printers_online  ON printers (online, id);
CREATE INDEX printers_trouble ON printers (id) WHERE open_troubles > 0;
CREATE INDEX printers_labels  ON printers USING gin (labels jsonb_path_ops);

-- Open troubles of printers, as lists are filtered by them. The truth about troubles is elsewhere.
CREATE TABLE printer_troubles (
  printer text COLLATE "C" NOT NULL,
  trouble text COLLATE "C" NOT NULL,
  rule    text COLLATE "C" NOT NULL,
  PRIMARY KEY (printer, trouble)
);
CREATE INDEX printer_troubles_rule ON printer_troubles (rule, printer);

-- The structure that a printer reported last.
CREATE TABLE structures (
  printer          text COLLATE "C" PRIMARY KEY,
  session          text NOT NULL,
  previous_session text,
  revision         bigint NOT NULL,
  at               timestamptz NOT NULL,
  received         timestamptz NOT NULL,
  signature        text NOT NULL,
  document         jsonb NOT NULL
);

-- Every structure that differed from the one before it, and in what.
CREATE TABLE structure_history (
  id        bigint GENERATED ALWAYS AS IDENTITY,
  printer   text COLLATE "C" NOT NULL,
  session   text NOT NULL,
  revision  bigint NOT NULL,
  at        timestamptz NOT NULL,
  received  timestamptz NOT NULL,
  signature text NOT NULL,
  changes   jsonb NOT NULL,
  document  jsonb NOT NULL,
  PRIMARY KEY (printer, id)
);

-- What is installed where, so that printers can be found by it.
CREATE TABLE installed_software (
  printer  text COLLATE "C" NOT NULL,
  subject  text COLLATE "C" NOT NULL,
  software text COLLATE "C" NOT NULL,
  version  text COLLATE "C",
  PRIMARY KEY (printer, subject)
);
CREATE INDEX installed_software_version ON installed_software (software, version, printer);

CREATE TABLE verdicts (
  printer  text COLLATE "C" PRIMARY KEY,
  session  text NOT NULL,
  revision bigint NOT NULL,
  catalog  text NOT NULL,
  status   text NOT NULL,
  document jsonb NOT NULL,
  at       timestamptz NOT NULL
);
CREATE INDEX verdicts_catalog ON verdicts (catalog, printer);
