-- Average and longest time to delivery, by frontend: seconds, and milliseconds.
WITH delivered AS (
  SELECT dest_smsc,
         ROUND((julianday(delivery_time) - julianday(submission_time)) * 86400000) AS took_ms
  FROM cdrs
  WHERE status = 'delivered' AND delivery_time IS NOT NULL
    AND submission_time >= /*from*/ '2024-02-01' AND submission_time < /*to*/ '2024-04-01')
SELECT dest_smsc,
       printf('%.1f', AVG(CAST(took_ms / 1000 AS INTEGER))) AS average_s,
       CAST(ROUND(AVG(took_ms)) AS INTEGER) AS average_ms,
       MAX(CAST(took_ms / 1000 AS INTEGER)) AS longest_s
FROM delivered
GROUP BY dest_smsc
ORDER BY dest_smsc;
