DO $$
DECLARE
    wrong bigint;
BEGIN
    SELECT count(*) INTO wrong FROM invoice WHERE amount IS DISTINCT FROM cents / 100.0;
    IF wrong > 0 THEN
        RAISE EXCEPTION '% rows have a wrong amount', wrong;
    END IF;
END
$$;
