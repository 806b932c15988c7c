-- Names this database, so that a file which belongs to it (admin.json) is known as another one's elsewhere.
CREATE TABLE store_identity (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  id     uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO store_identity DEFAULT VALUES;
