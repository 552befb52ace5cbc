-- Objects that both families know. DELIMITER is understood by whoever loads this: the stock clients.
SET NAMES utf8mb4;
SET time_zone = '+00:00';
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
CREATE DATABASE sink DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE DATABASE `odd ``name/ü` DEFAULT CHARACTER SET latin1;
USE sink;

CREATE TABLE all_types (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY COMMENT 'it''s a \\ key',
  t TINYINT, s SMALLINT ZEROFILL, m MEDIUMINT, b BIGINT UNSIGNED, dc DECIMAL(65,30),
  f FLOAT, f73 FLOAT(7,3), d DOUBLE, d102 DOUBLE(10,2), bits BIT(33), bit1 BIT(1) DEFAULT b'1',
  y YEAR, dt DATE, tm TIME(6), dtm DATETIME(6), ts TIMESTAMP(6) NULL,
  c CHAR(10), v VARCHAR(200), tx TEXT, bn BINARY(6), vb VARBINARY(300), bl LONGBLOB,
  e ENUM('a','b''c','ü','') , st SET('x','y;','z'), g GEOMETRY, p POINT,
  dflt VARCHAR(30) DEFAULT 'x''\\y', js JSON
) AUTO_INCREMENT = 1000;
INSERT INTO all_types (id, t, s, m, b, dc, f, f73, d, d102, bits, bit1, y, dt, tm, dtm, ts, c, v, tx, bn, vb, bl, e, st, g, p, js) VALUES
 (1, -128, 42, -8388608, 18446744073709551615, 12345678901234567890123456789012345.123456789012345678901234567890,
  0.1, 1234.567, 0.1, 12345.67, b'100000000000000000000000000000001', b'0', 1901, '2024-02-29', '-838:59:59', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.999999',
  'abc', 'quote '' back \\ nl \n cr \r tab \t nul \0 z \Z " ` % _', REPEAT('ÄÖ𝄞', 100), 0x000102FF2700, 0x5C275C27000A1A, 0x00, 'b''c', 'x,z', ST_GeomFromText('LINESTRING(0 0,1 1.5,2 -3)'), ST_GeomFromText('POINT(1 2)'), '{"a": [1, 2.5, "x\\"y", null], "ü": "𝄞"}'),
 (2, 127, 0, 0, 0, -0.000000000000000000000000000001, 3.40282e38, -0.001, 1.7976931348623157e308, -0.01, b'0', NULL, 0, '0000-00-00', '00:00:00', '0000-00-00 00:00:00', '1970-01-01 00:00:01',
  '', '', '', '', '', '', '', '', NULL, NULL, '[]'),
 (3, NULL, NULL, NULL, NULL, NULL, 1.17549e-38, NULL, 2.2250738585072014e-308, NULL, NULL, b'1', NULL, '1000-01-01', NULL, '2024-02-00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (0, 0, 1, 1, 1, 0, 16777217, 0, 9007199254740993, 0, b'1', b'1', 2155, '2024-00-00', '838:59:59', '2000-01-01', '2000-06-15 12:00:00', 'x', 'x', 'x', 'x', 'x', 'x', 'a', 'x', NULL, NULL, '1');
UPDATE all_types SET d = -0e0, f = 0.333333343 WHERE id = 0;
INSERT INTO all_types (id, bl) VALUES (4, REPEAT(UNHEX('00FF5C270A0D1A22'), 40000)), (5, NULL);

CREATE TABLE charsets (id INT PRIMARY KEY, l1 VARCHAR(300) CHARACTER SET latin1, l2 VARCHAR(300) CHARACTER SET latin2,
  koi VARCHAR(300) CHARACTER SET koi8r, sj VARCHAR(50) CHARACTER SET sjis, gb VARCHAR(50) CHARACTER SET gbk, u2 VARCHAR(50) CHARACTER SET ucs2,
  u16 TEXT CHARACTER SET utf16, u32 CHAR(5) CHARACTER SET utf32, u3 VARCHAR(50) CHARACTER SET utf8, e1 ENUM('ä','ö') CHARACTER SET latin1, asc1 CHAR(3) CHARACTER SET ascii, bt VARCHAR(20) COLLATE utf8mb4_bin);
INSERT INTO charsets VALUES (1, _latin1 0x8081E4F6FCDF275C9F, _latin2 0xA1B1C6E6, _koi8r 0xC1C2D7DE, _sjis 0x8160835C955C, _gbk 0xB9FA5C, _ucs2 0x004100E4, _utf16 0xD834DD1E0041, _utf32 0x0001D11E, 'héß', 'ö', 'abc', 'Straße');
INSERT INTO charsets (id, l1, l2, koi, sj, gb) VALUES (2, '', '', '', '', ''), (3, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE computed (a INT PRIMARY KEY, b INT GENERATED ALWAYS AS (a * 2) VIRTUAL, c VARCHAR(20) GENERATED ALWAYS AS (CONCAT('x', a)) STORED, d INT, KEY (c), KEY (d, b));
INSERT INTO computed (a, d) VALUES (1, 10), (2, 20);
CREATE TABLE `weird ``table``` (`select` INT, `a b` VARCHAR(10) DEFAULT 'q', `ünï` INT, UNIQUE KEY `k``ey` (`select`)) COMMENT='line
break; -- not a comment ''';
INSERT INTO `weird ``table``` VALUES (1, 'x', 2), (NULL, NULL, NULL);
CREATE TABLE empty_one (a INT);
CREATE TABLE parted (id INT NOT NULL, d DATE NOT NULL, PRIMARY KEY (id, d)) PARTITION BY RANGE (YEAR(d)) (PARTITION p0 VALUES LESS THAN (2000), PARTITION p1 VALUES LESS THAN (2020), PARTITION pm VALUES LESS THAN MAXVALUE);
INSERT INTO parted VALUES (1, '1999-01-01'), (2, '2010-05-05'), (3, '2025-12-31');
CREATE TABLE hashed (id INT PRIMARY KEY) PARTITION BY KEY (id) PARTITIONS 4;
INSERT INTO hashed VALUES (1), (2), (3), (4), (5);
CREATE TABLE compressed (id INT PRIMARY KEY, v TEXT, FULLTEXT KEY ft (v)) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8;
INSERT INTO compressed VALUES (1, 'the quick brown fox');
CREATE TABLE many_rows (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(100), KEY (v));
INSERT INTO many_rows (v) VALUES ('seed');
INSERT INTO many_rows (v) SELECT CONCAT(v, id) FROM many_rows;
INSERT INTO many_rows (v) SELECT CONCAT(v, id) FROM many_rows;
INSERT INTO many_rows (v) SELECT CONCAT(v, id) FROM many_rows;
INSERT INTO many_rows (v) SELECT CONCAT(v, id) FROM many_rows;
INSERT INTO many_rows (v) SELECT LEFT(CONCAT(v, id), 90) FROM many_rows a;
INSERT INTO many_rows (v) SELECT LEFT(CONCAT(a.v, b.id), 90) FROM many_rows a, many_rows b;

SET foreign_key_checks = 0;
CREATE TABLE circle_a (id INT PRIMARY KEY, b INT, CONSTRAINT fa FOREIGN KEY (b) REFERENCES circle_b (id) ON DELETE CASCADE);
CREATE TABLE circle_b (id INT PRIMARY KEY, a INT, CONSTRAINT fb FOREIGN KEY (a) REFERENCES circle_a (id) ON UPDATE SET NULL);
INSERT INTO circle_a VALUES (1, 1); INSERT INTO circle_b VALUES (1, 1);
SET foreign_key_checks = 1;
CREATE TABLE self_ref (id INT PRIMARY KEY, parent INT, CHECK (id > 0), FOREIGN KEY (parent) REFERENCES self_ref (id));
INSERT INTO self_ref VALUES (5, NULL), (1, 5);

CREATE TABLE `odd ``name/ü`.child (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES sink.circle_a (id));
INSERT INTO `odd ``name/ü`.child VALUES (1, 1);

CREATE TABLE audit (n INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(50));
DELIMITER ;;
CREATE TRIGGER second_one BEFORE INSERT ON computed FOR EACH ROW BEGIN INSERT INTO audit (what) VALUES ('second;'); END;;
CREATE TRIGGER first_one BEFORE INSERT ON computed FOR EACH ROW PRECEDES second_one INSERT INTO audit (what) VALUES ('first''s');;
CREATE TRIGGER after_it AFTER UPDATE ON computed FOR EACH ROW BEGIN /* comment; ';' */ IF NEW.d > 5 THEN INSERT INTO audit (what) VALUES ("dq ;; $$"); END IF; END;;
DELIMITER ;
SET sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES';
CREATE TRIGGER ansi AFTER DELETE ON computed FOR EACH ROW INSERT INTO "audit" (what) VALUES ('ansi');
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';

DELIMITER $$
CREATE FUNCTION plus_one(n INT) RETURNS INT DETERMINISTIC COMMENT 'adds; one' RETURN n + 1$$
CREATE PROCEDURE work(IN n INT, OUT total INT, INOUT txt VARCHAR(20)) SQL SECURITY INVOKER
BEGIN
  DECLARE i INT DEFAULT 0;
  -- a comment; with 'quote
  # another; one
  WHILE i < n DO SET i = i + 1; END WHILE;
  SELECT COUNT(*) INTO total FROM all_types WHERE v <> 'it''s; ';
END$$
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 03:00:00' ON COMPLETION PRESERVE DISABLE COMMENT 'e;v' DO BEGIN INSERT INTO audit (what) VALUES ('night'); END$$
SET time_zone = '+05:30'$$
CREATE EVENT zoned ON SCHEDULE AT '2037-06-01 00:00:00' ON COMPLETION PRESERVE ENABLE DO DELETE FROM audit$$
SET time_zone = '+00:00'$$
DELIMITER ;
SET NAMES latin1;
CREATE FUNCTION greet() RETURNS VARCHAR(20) CHARACTER SET latin1 DETERMINISTIC RETURN 'gr��';
CREATE VIEW latin_view AS SELECT '���' AS umlauts, a FROM empty_one;
SET NAMES utf8mb4;

CREATE VIEW z_base AS SELECT id, v FROM all_types WHERE id > 0;
CREATE VIEW m_mid AS SELECT id AS w FROM z_base;
CREATE VIEW a_top AS SELECT z.id, plus_one(z.id) AS nxt, o.w FROM z_base z JOIN m_mid o ON o.w = z.id;
CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW checked AS SELECT id, parent FROM self_ref WHERE id < 100 WITH LOCAL CHECK OPTION;
CREATE VIEW `odd ``name/ü`.`view ``x` AS SELECT * FROM sink.a_top;
