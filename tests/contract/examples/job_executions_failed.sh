# 获取失败的执行记录
curl -X GET "https://api.datahub.example.com/api/v1/jobs/sync_klines_1h/executions?search=failed" \
  -H "Authorization: Bearer YOUR_TOKEN"
