-- Parameters of requests were recorded as they came, with the passwords that administrators chose for users. Whatever
-- looks like a secret is replaced, at every depth; so is what was mistyped beside it in users.put.
CREATE FUNCTION pg_temp.without_secrets(value jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN CASE jsonb_typeof(value)
    WHEN 'object' THEN (
      SELECT coalesce(jsonb_object_agg(key, CASE
        WHEN key ~* '(pass(word|phrase|wd)?|token)$|secret|credential|(auth|priv|private|api|access)[-_]?(key|code)$|^key$'
          THEN '"[secret]"'::jsonb
        ELSE pg_temp.without_secrets(one) END), '{}')
      FROM jsonb_each(value) AS each (key, one))
    WHEN 'array' THEN (
      SELECT coalesce(jsonb_agg(pg_temp.without_secrets(one) ORDER BY at), '[]')
      FROM jsonb_array_elements(value) WITH ORDINALITY AS each (one, at))
    ELSE value END;
END $$;

UPDATE audit SET params = jsonb_strip_nulls(jsonb_build_object(
  'name', params -> 'name', 'role', params -> 'role',
  'password', CASE WHEN params ? 'password' THEN '"[secret]"'::jsonb END))
WHERE method = 'users.put';
UPDATE audit SET params = pg_temp.without_secrets(params)
WHERE method <> 'users.put' AND params IS DISTINCT FROM pg_temp.without_secrets(params);

DROP FUNCTION pg_temp.without_secrets(jsonb);
