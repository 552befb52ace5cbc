USE kitchen
-- next
CREATE TABLE vectors (id INT NOT NULL PRIMARY KEY, v VECTOR(4), w VECTOR)
-- next
INSERT INTO vectors VALUES (1, STRING_TO_VECTOR('[1,2.5,-3,0.1]'), STRING_TO_VECTOR('[1]')), (2, NULL, NULL)
-- next
CREATE TABLE functional (id INT NOT NULL PRIMARY KEY, j JSON, s VARCHAR(20), KEY by_lower ((LOWER(s))), KEY by_tag ((CAST(j->'$.tags' AS UNSIGNED ARRAY))),
  KEY unseen (s) INVISIBLE, made DATETIME DEFAULT (NOW() + INTERVAL 1 DAY), u BINARY(16) DEFAULT (UUID_TO_BIN('00000000-0000-0000-0000-000000000001')))
-- next
INSERT INTO functional (id, j, s, made) VALUES (1, '{"tags": [1, 2, 3]}', 'ABC', '2024-01-01 00:00:00'), (2, NULL, NULL, NULL)
-- next
SET sql_generate_invisible_primary_key = ON
-- next
CREATE TABLE generated_key (a INT, b VARCHAR(10))
-- next
SET sql_generate_invisible_primary_key = OFF
-- next
INSERT INTO generated_key (a, b) VALUES (1, 'x'), (1, 'x'), (2, 'y')
-- next
DELETE FROM generated_key WHERE a = 2
-- next
CREATE TABLE referenced (id INT NOT NULL PRIMARY KEY, p POINT NOT NULL SRID 4326, unenforced INT, CONSTRAINT lax CHECK (unenforced > 0) NOT ENFORCED, SPATIAL KEY (p))
-- next
INSERT INTO referenced VALUES (1, ST_GeomFromText('POINT(50.1 8.6)', 4326), -1)
-- next
CREATE TABLE collated (id INT NOT NULL PRIMARY KEY, t VARCHAR(20) COLLATE utf8mb4_0900_ai_ci, b VARCHAR(20) COLLATE utf8mb4_0900_as_cs) COLLATE utf8mb4_0900_bin
-- next
INSERT INTO collated VALUES (1, 'ä', 'Ä')
-- next
CREATE TABLE attributed (id INT NOT NULL PRIMARY KEY SECONDARY_ENGINE_ATTRIBUTE '{"a": 1}', t VARCHAR(5) COMMENT 'c') STATS_PERSISTENT=1 STATS_SAMPLE_PAGES=7
-- next
CREATE TABLESPACE kitchen_space ADD DATAFILE 'kitchen_space.ibd' ENGINE=InnoDB
-- next
CREATE TABLE in_space (id INT NOT NULL PRIMARY KEY, t TEXT) TABLESPACE kitchen_space
-- next
INSERT INTO in_space VALUES (1, 'shared tablespace')
-- next
CREATE VIEW windowed AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i, SUM(i) OVER (ORDER BY i) AS running FROM n
-- next
CREATE VIEW from_json AS SELECT d.id, t.a FROM documents d, JSON_TABLE(d.j, '$' COLUMNS (a INT PATH '$.a')) t
