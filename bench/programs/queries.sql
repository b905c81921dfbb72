-- Inserts, an index, joins and sums in SQLite.
PRAGMA journal_mode = MEMORY;
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL, kind INTEGER);
CREATE TABLE sale (item INTEGER, amount INTEGER, day INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000)
INSERT INTO item SELECT i, 'item ' || (i * 7919 % 8000), i * 31 % 1000 / 4.0, i % 37 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO sale SELECT i * 17 % 8000 + 1, i % 9 + 1, i % 365 FROM n;
CREATE INDEX sale_item ON sale (item);
CREATE INDEX item_name ON item (name);
SELECT kind, count(*), sum(amount * price) FROM item JOIN sale ON sale.item = item.id
GROUP BY kind ORDER BY 3 DESC LIMIT 3;
SELECT day, sum(amount) FROM sale GROUP BY day ORDER BY 2 DESC, 1 LIMIT 3;
UPDATE item SET price = price * 1.1 WHERE name LIKE 'item 1%';
DELETE FROM sale WHERE day % 7 = 3;
SELECT count(*), total(price), (SELECT count(*) FROM sale) FROM item WHERE name > 'item 5';
