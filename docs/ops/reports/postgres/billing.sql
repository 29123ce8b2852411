-- What senders owe: the longest prefix in billing_rates (billing_rates.sql) prices a part.
SELECT cdrs.calling_number, SUM(cdrs.message_parts) AS parts,
       SUM(cdrs.message_parts * billing_rates.price_per_part) AS price
FROM cdrs
JOIN billing_rates ON billing_rates.prefix = (
  SELECT rate.prefix FROM billing_rates AS rate
  WHERE cdrs.called_number LIKE CONCAT(rate.prefix, '%')
  ORDER BY LENGTH(rate.prefix) DESC LIMIT 1)
WHERE cdrs.status = 'delivered'
  AND cdrs.submission_time >= /*from*/ '2024-02-01' AND cdrs.submission_time < /*to*/ '2024-04-01'
GROUP BY cdrs.calling_number
ORDER BY cdrs.calling_number
LIMIT /*limit*/ 1000;
