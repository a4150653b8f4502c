# 搜索失败的执行
curl -X GET "https://api.datahub.example.com/api/v1/jobs/executions?search=failed" \
  -H "Authorization: Bearer YOUR_TOKEN"
