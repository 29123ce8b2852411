-- What each node accepted, and where it ended.
SELECT origin_node, destination_node, COUNT(*) AS messages
FROM cdrs
WHERE submission_time >= /*from*/ '2024-02-01' AND submission_time < /*to*/ '2024-04-01'
GROUP BY origin_node, destination_node
ORDER BY origin_node, destination_node;
