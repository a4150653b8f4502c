# 获取指定任务的执行记录
curl -X GET "https://api.datahub.example.com/api/v1/jobs/sync_klines_1h/executions" \
  -H "Authorization: Bearer YOUR_TOKEN"
