SET NAMES utf8mb4
-- next
SET time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'
-- next
CREATE DATABASE kitchen CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci
-- next
CREATE DATABASE kitchen_latin1 CHARACTER SET latin1 COLLATE latin1_swedish_ci
-- next
CREATE DATABASE `odd ``name"' of é ünïcode` CHARACTER SET utf8mb4
-- next
CREATE DATABASE kitchen_empty
-- next
USE kitchen
-- next
CREATE TABLE numbers (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  ti TINYINT, tu TINYINT UNSIGNED, si SMALLINT, su SMALLINT UNSIGNED,
  mi MEDIUMINT, mu MEDIUMINT UNSIGNED, i INT, iu INT UNSIGNED, bi BIGINT, bu BIGINT UNSIGNED,
  f FLOAT, d DOUBLE, de DECIMAL(65,30), dz DECIMAL(10,2) UNSIGNED,
  b1 BIT(1), b8 BIT(8), b64 BIT(64), bo BOOLEAN,
  z INT(8) ZEROFILL
) COMMENT 'numbers; "quoted", ''quoted'' and \\ back
slashed'
-- next
INSERT INTO numbers VALUES
  (1, -128, 0, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0,
   -3.402823466e38, -1.7976931348623157e308, -99999999999999999999999999999999999.999999999999999999999999999999,
   0.00, b'0', b'00000000', b'0', FALSE, 1),
  (2, 127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807, 18446744073709551615,
   1.17549435e-38, 2.2250738585072014e-308, 99999999999999999999999999999999999.999999999999999999999999999999,
   99999999.99, b'1', b'11111111', 0xffffffffffffffff, TRUE, 99999999),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.1, 0.1, 0.1, 0.1, b'1', b'10101010', 0x0a0d00275c1a2200, 2, 42),
  (5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 16777217, 1e15, -0.000000000000000000000000000001, 1, b'0', 0x27, 0x5c, -1, 0),
  (6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3.1415927410125732, 3.141592653589793, 0, 1, b'0', 0x00, 0x0d0a, 1, 7)
-- next
CREATE TABLE texts (
  id INT NOT NULL PRIMARY KEY,
  c CHAR(10), v VARCHAR(2000), tt TINYTEXT, t TEXT, mt MEDIUMTEXT, lt LONGTEXT,
  u VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  l VARCHAR(100) CHARACTER SET latin1, a VARCHAR(100) CHARACTER SET ascii,
  g VARCHAR(100) CHARACTER SET gbk, s VARCHAR(100) CHARACTER SET sjis,
  u2 VARCHAR(100) CHARACTER SET ucs2, u16 VARCHAR(100) CHARACTER SET utf16, u32 VARCHAR(100) CHARACTER SET utf32,
  e ENUM('one', 'it''s', 'ü', '', 'a"b', 'back\\slash'), st SET('x', 'y', 'z z', 'ö'),
  FULLTEXT KEY ft (t), KEY pre (v(20)), KEY down (c DESC)
)
-- next
INSERT INTO texts VALUES
  (1, 'abc', 'quote '' double " back \\ newline \n return \r nul \0 tab \t sub \Z end', 'tiny', 'full text search', 'm', 'l',
   '😀 🐬 𝒳', 'äöüÄÖÜß', 'ascii', '中文', 'アイウ', 'ü', '😀', '😀', 'it''s', 'x,z z'),
  (2, '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', ''),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, '   lead', 'trailing   ', '-- comment', '/* comment */ ; DELIMITER //', 'NULL', '\\N', '0x00', '\\', 'x''y', '表', 'ソ表',
   'a', 'b', 'c', 'back\\slash', 'ö,x')
-- next
INSERT INTO texts (id, v, lt) VALUES (5, REPEAT('ß', 2000), REPEAT('line with ''quote''\n', 20000))
-- next
CREATE TABLE bytes (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  b BLOB, v VARBINARY(300), fixed BINARY(8), tb TINYBLOB, mb MEDIUMBLOB, lb LONGBLOB
)
-- next
INSERT INTO bytes (b, v, fixed, tb, mb, lb) VALUES
  ('', '', '', '', '', ''), (NULL, NULL, NULL, NULL, NULL, NULL),
  (0x00, 0x0000, 0x00ff00ff, 0x27, 0x5c27, 0x0a0d1a22), (0xfffe, 0xc328, 0x20, 0xf0288cbc, 0x80, 0xe2)
-- next
CREATE TABLE dates (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  d DATE, dt DATETIME, dt6 DATETIME(6), ts TIMESTAMP NULL, ts6 TIMESTAMP(6) NULL,
  ti TIME, ti6 TIME(6), y YEAR,
  made TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP
)
-- next
INSERT INTO dates (d, dt, dt6, ts, ts6, ti, ti6, y, made) VALUES
  ('1000-01-01', '1000-01-01 00:00:00', '1000-01-01 00:00:00.000001', '1970-01-01 00:00:01', '1970-01-01 00:00:01.000001',
   '-838:59:59', '-838:59:58.999999', 1901, '2001-02-03 04:05:06'),
  ('9999-12-31', '9999-12-31 23:59:59', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', '2038-01-19 03:14:06.999999',
   '838:59:59', '00:00:00.000001', 2155, '2001-02-03 04:05:06'),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-03-31 01:30:00'),
  ('2024-02-29', '2024-03-31 02:30:00', '2024-10-27 02:30:00.5', '2024-10-27 01:30:00', '2024-10-27 00:30:00.25', '12:34:56', '-00:00:00.1', 0,
   '2024-10-27 00:30:00')
-- next
CREATE TABLE documents (id INT NOT NULL PRIMARY KEY, j JSON, KEY (id))
-- next
INSERT INTO documents VALUES
  (1, '{"a": 1, "b": [1, 2.5, "drei \\" \\\\ \\u00fc", null, true, {"c": {}}]}'), (2, '[]'), (3, '"text"'), (4, 'null'), (5, NULL),
  (6, '{"big": 18446744073709551615, "exact": 0.1, "smile": "😀", "nul": "\\u0000"}')
-- next
CREATE TABLE places (
  id INT NOT NULL PRIMARY KEY, p POINT NOT NULL, g GEOMETRY, l LINESTRING, y POLYGON,
  mp MULTIPOINT, ml MULTILINESTRING, my MULTIPOLYGON, gc GEOMETRYCOLLECTION, KEY (id)
)
-- next
INSERT INTO places VALUES
  (1, ST_GeomFromText('POINT(1.5 -2.25)'), ST_GeomFromText('POINT(0 0)'), ST_GeomFromText('LINESTRING(0 0, 1 1, 2 0)'),
   ST_GeomFromText('POLYGON((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 2, 1 1))'), ST_GeomFromText('MULTIPOINT(0 0, 1 1)'),
   ST_GeomFromText('MULTILINESTRING((0 0, 1 1), (2 2, 3 3))'), ST_GeomFromText('MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)))'),
   ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1), LINESTRING(0 0, 1 1))')),
  (2, ST_GeomFromText('POINT(10 20)', 4326), NULL, NULL, NULL, NULL, NULL, NULL, NULL)
-- next
CREATE TABLE spaced (id INT NOT NULL PRIMARY KEY, p POINT NOT NULL, SPATIAL KEY sp (p))
-- next
INSERT INTO spaced VALUES (1, ST_GeomFromText('POINT(3 4)'))
-- next
CREATE TABLE computed (
  id INT NOT NULL PRIMARY KEY, price DECIMAL(10,2) NOT NULL, amount INT NOT NULL,
  total DECIMAL(20,2) GENERATED ALWAYS AS (price * amount) STORED,
  label VARCHAR(60) GENERATED ALWAYS AS (CONCAT('no ', id, ': ', 'it''s')) VIRTUAL,
  half INT AS (amount DIV 2) VIRTUAL, tail INT DEFAULT 5, KEY by_total (total), KEY by_label (label)
)
-- next
INSERT INTO computed (id, price, amount) VALUES (1, 9.99, 3), (2, 0.01, 1000), (3, 12345678.90, -7)
-- next
CREATE TABLE checked (
  id INT NOT NULL PRIMARY KEY, age INT CHECK (age >= 18), low INT, high INT,
  name VARCHAR(20) DEFAULT 'a ''name''', born DATE DEFAULT '2000-01-01', CONSTRAINT ordered CHECK (low <= high), CONSTRAINT grown CHECK (age < 200)
)
-- next
INSERT INTO checked VALUES (1, 18, 1, 2, DEFAULT, DEFAULT), (2, NULL, 5, 5, 'x', '1999-12-31')
-- next
CREATE TABLE hidden (id INT NOT NULL PRIMARY KEY, seen INT, secret VARCHAR(20) DEFAULT 'hidden' INVISIBLE, also INT INVISIBLE)
-- next
INSERT INTO hidden (id, seen, secret, also) VALUES (1, 1, 'kept', NULL), (2, 2, DEFAULT, 9)
-- next
CREATE TABLE parent (id INT NOT NULL PRIMARY KEY, part INT NOT NULL, UNIQUE KEY (part, id))
-- next
CREATE TABLE child (
  id INT NOT NULL PRIMARY KEY, parent_id INT, a INT, b INT,
  CONSTRAINT child_parent FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE SET NULL ON UPDATE CASCADE,
  CONSTRAINT child_pair FOREIGN KEY (a, b) REFERENCES parent (part, id) ON DELETE RESTRICT
)
-- next
INSERT INTO parent VALUES (1, 10), (2, 20)
-- next
INSERT INTO child VALUES (1, 1, 10, 1), (2, NULL, NULL, NULL), (3, 2, 20, 2)
-- next
CREATE TABLE hen (id INT NOT NULL PRIMARY KEY, egg_id INT)
-- next
CREATE TABLE egg (id INT NOT NULL PRIMARY KEY, hen_id INT, CONSTRAINT egg_hen FOREIGN KEY (hen_id) REFERENCES hen (id))
-- next
ALTER TABLE hen ADD CONSTRAINT hen_egg FOREIGN KEY (egg_id) REFERENCES egg (id)
-- next
CREATE TABLE tree (id INT NOT NULL PRIMARY KEY, up INT, CONSTRAINT tree_up FOREIGN KEY (up) REFERENCES tree (id) ON DELETE CASCADE)
-- next
INSERT INTO tree VALUES (5, NULL)
-- next
INSERT INTO tree VALUES (1, 5), (9, 1), (3, 9)
-- next
INSERT INTO hen VALUES (1, NULL)
-- next
INSERT INTO egg VALUES (1, 1)
-- next
UPDATE hen SET egg_id = 1
-- next
CREATE TABLE by_range (id INT NOT NULL, made DATE NOT NULL, t VARCHAR(20), PRIMARY KEY (id, made))
PARTITION BY RANGE (YEAR(made)) (
  PARTITION old VALUES LESS THAN (2000) COMMENT 'the ''old'' ones', PARTITION p2010 VALUES LESS THAN (2010), PARTITION rest VALUES LESS THAN MAXVALUE)
-- next
INSERT INTO by_range VALUES (1, '1990-01-01', 'old'), (2, '2005-05-05', 'mid'), (3, '2020-02-02', 'new')
-- next
CREATE TABLE by_sub (id INT NOT NULL, d DATE NOT NULL, KEY (id)) PARTITION BY RANGE COLUMNS (d) SUBPARTITION BY HASH (id) SUBPARTITIONS 2 (
  PARTITION a VALUES LESS THAN ('2010-01-01'), PARTITION b VALUES LESS THAN (MAXVALUE))
-- next
INSERT INTO by_sub VALUES (1, '2000-01-01'), (2, '2015-01-01'), (3, '2015-01-02')
-- next
CREATE TABLE by_list (id INT NOT NULL PRIMARY KEY) PARTITION BY LIST (id) (PARTITION odd VALUES IN (1, 3, 5), PARTITION even VALUES IN (2, 4, 6))
-- next
INSERT INTO by_list VALUES (1), (2), (6)
-- next
CREATE TABLE by_key (id INT NOT NULL PRIMARY KEY, t TEXT) PARTITION BY KEY (id) PARTITIONS 3
-- next
INSERT INTO by_key VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')
-- next
CREATE TABLE no_rows (id INT NOT NULL PRIMARY KEY, t TEXT) ENGINE=InnoDB ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8
-- next
CREATE TABLE no_key (a INT, b VARCHAR(10)) ROW_FORMAT=DYNAMIC
-- next
INSERT INTO no_key VALUES (1, 'x'), (1, 'x'), (NULL, NULL), (2, 'y')
-- next
CREATE TABLE counted_up (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, t CHAR(1)) AUTO_INCREMENT = 1000000
-- next
INSERT INTO counted_up (t) VALUES ('a'), ('b')
-- next
DELETE FROM counted_up WHERE t = 'b'
-- next
CREATE TABLE counted_zero (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, t CHAR(1))
-- next
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'
-- next
INSERT INTO counted_zero VALUES (0, 'z'), (-5, 'n'), (7, 's')
-- next
SET sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'
-- next
CREATE TABLE counted_last (id TINYINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY)
-- next
INSERT INTO counted_last VALUES (255)
-- next
CREATE TABLE wide (id INT NOT NULL PRIMARY KEY, a LONGTEXT, b LONGTEXT, c LONGTEXT, d LONGBLOB)
-- next
INSERT INTO wide VALUES (1, REPEAT('a', 300000), REPEAT('''', 300000), REPEAT('\\', 300000), REPEAT(0x00, 300000)), (2, 'x', 'y', 'z', '')
-- next
CREATE TABLE `table with ``back ticks``, "quotes", 'quotes'` (
  `id` INT NOT NULL PRIMARY KEY, `a b` INT, `c``d` INT, `e"f` INT, `g'h` INT, `i
j` INT, `ünïcödé` INT, `select` INT, `-- x` INT, `%s` INT, `back\slash` INT, ` lead` INT, KEY `key ``odd` (`c``d`)
)
-- next
INSERT INTO `table with ``back ticks``, "quotes", 'quotes'` VALUES (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
-- next
CREATE TABLE `new
line` (`a
b` INT NOT NULL PRIMARY KEY)
-- next
INSERT INTO `new
line` VALUES (1)
-- next
CREATE TABLE `表 größe` (`列` INT NOT NULL PRIMARY KEY, t VARCHAR(10))
-- next
INSERT INTO `表 größe` VALUES (1, '值')
-- next
CREATE TABLE `select` (`from` INT NOT NULL PRIMARY KEY, `where` INT)
-- next
INSERT INTO `select` VALUES (1, 2)
-- next
CREATE TABLE `odd ``name"' of é ünïcode`.`t ``1` (id INT NOT NULL PRIMARY KEY, t TEXT)
-- next
INSERT INTO `odd ``name"' of é ünïcode`.`t ``1` VALUES (1, 'found')
-- next
CREATE VIEW `odd ``name"' of é ünïcode`.`v'"` AS SELECT t.id AS `the "id"`, n.i FROM `odd ``name"' of é ünïcode`.`t ``1` t JOIN kitchen.numbers n ON n.id = t.id
-- next
CREATE TABLE kitchen_latin1.letters (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, t VARCHAR(300) DEFAULT 'ä', KEY (t(10))) COMMENT 'größe'
-- next
INSERT INTO kitchen_latin1.letters (t) VALUES ('äöü'), (DEFAULT), ('')
-- next
CREATE TABLE kitchen_latin1.`größe` (`breite ü` INT NOT NULL PRIMARY KEY) COMMENT 'Maß'
-- next
CREATE FUNCTION plus_one(n INT) RETURNS INT DETERMINISTIC NO SQL COMMENT 'adds ''one''' RETURN n + 1
-- next
SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'
-- next
CREATE FUNCTION joined(a VARCHAR(20), b VARCHAR(20)) RETURNS VARCHAR(50) CHARSET utf8mb4 DETERMINISTIC RETURN a || ' & ' || b
-- next
SET sql_mode = ''
-- next
CREATE DEFINER = 'gone'@'nowhere.example' PROCEDURE fill(IN n INT, OUT done INT, INOUT both_ways VARCHAR(10))
MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE i INT DEFAULT 0; -- a comment; with a semicolon
  DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET done = -1;
  /* another; comment */
  one: WHILE i < n DO
    INSERT INTO no_rows VALUES (i, CONCAT('it''s "', i, '"; größe 😀'));
    SET i = i + 1;
  END WHILE one;
  SET done = i;
END
-- next
CREATE PROCEDURE `odd ``proc` () SELECT 1 AS `x;y`
-- next
SET sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'
-- next
CREATE TABLE audited (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT, note VARCHAR(200))
-- next
CREATE TABLE audit (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, what VARCHAR(200))
-- next
CREATE TRIGGER audited_first BEFORE INSERT ON audited FOR EACH ROW SET NEW.note = CONCAT(COALESCE(NEW.note, ''), ' first')
-- next
SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'
-- next
CREATE TRIGGER audited_third BEFORE INSERT ON audited FOR EACH ROW SET NEW."note" = CONCAT(NEW.note, ' \third')
-- next
SET sql_mode = ''
-- next
CREATE TRIGGER audited_second BEFORE INSERT ON audited FOR EACH ROW FOLLOWS audited_first SET NEW.note = CONCAT(NEW.note, ' second')
-- next
CREATE TRIGGER `odd trigger;` AFTER INSERT ON audited FOR EACH ROW BEGIN
  INSERT INTO audit (what) VALUES (CONCAT('inserted; ', NEW.id));
END
-- next
CREATE TRIGGER audited_update AFTER UPDATE ON audited FOR EACH ROW INSERT INTO audit (what) VALUES (CONCAT(OLD.v, ' -> ', NEW.v))
-- next
CREATE TRIGGER audited_delete BEFORE DELETE ON audited FOR EACH ROW INSERT INTO audit (what) VALUES ('größe 😀')
-- next
INSERT INTO audited (v) VALUES (1), (2), (3)
-- next
UPDATE audited SET v = 20 WHERE v = 2
-- next
DELETE FROM audited WHERE v = 3
-- next
SET sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'
-- next
CREATE VIEW z_base AS SELECT id, i, d FROM numbers WHERE i IS NOT NULL
-- next
CREATE VIEW a_on_view AS SELECT id, plus_one(i) AS more FROM z_base
-- next
CREATE ALGORITHM = MERGE DEFINER = 'gone'@'nowhere.example' SQL SECURITY INVOKER VIEW m_checked AS SELECT * FROM no_rows WHERE id < 10 WITH LOCAL CHECK OPTION
-- next
CREATE VIEW `b "odd" view` AS SELECT a.id AS `a``b`, joined('x', 'y') AS `c d`, 'größe 😀' AS t FROM a_on_view a JOIN z_base z USING (id)
-- next
CREATE VIEW grouped AS SELECT COUNT(*) AS c, e FROM texts GROUP BY e HAVING COUNT(*) > 0
-- next
CREATE EVENT every_hour ON SCHEDULE EVERY 1 HOUR STARTS '2037-01-01 00:00:00' ENDS '2037-12-31 00:00:00' ON COMPLETION PRESERVE DISABLE COMMENT 'it''s ü' DO
BEGIN
  INSERT INTO audit (what) VALUES ('tick; tock');
END
-- next
SET time_zone = '+05:30', sql_mode = 'ANSI_QUOTES'
-- next
CREATE EVENT `once ;` ON SCHEDULE AT '2037-06-01 12:00:00' ON COMPLETION PRESERVE ENABLE DO DELETE FROM "audit" WHERE id < 0
-- next
SET time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'
