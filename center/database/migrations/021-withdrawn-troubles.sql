-- Troubles that were withdrawn and deleted, until their retained documents are gone too.
CREATE TABLE withdrawn_troubles (
  id text COLLATE "C" PRIMARY KEY
);
