# 获取指定时间范围的执行记录
curl -X GET "https://api.datahub.example.com/api/v1/jobs/sync_klines_1h/executions?after=2026-01-01T00:00:00Z" \
  -H "Authorization: Bearer YOUR_TOKEN"
