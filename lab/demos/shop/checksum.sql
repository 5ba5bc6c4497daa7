-- Of all rows with all their columns, and of the table's definition.
SELECT md5(string_agg(invoice::text, '' ORDER BY id)) FROM invoice;
SELECT string_agg(column_name || ' ' || data_type || ' ' || is_nullable, ', ' ORDER BY ordinal_position)
FROM information_schema.columns
WHERE table_name = 'invoice';
