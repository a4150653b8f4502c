# 通过任务名称获取
curl -X GET "https://api.datahub.example.com/api/v1/jobs/sync_klines_1h" \
  -H "Authorization: Bearer YOUR_TOKEN"
