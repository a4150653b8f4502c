# 获取最新执行记录
curl -X GET "https://api.datahub.example.com/api/v1/jobs/executions?limit=50" \
  -H "Authorization: Bearer YOUR_TOKEN"
