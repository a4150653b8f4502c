# 通过数字 ID 获取
curl -X GET "https://api.datahub.example.com/api/v1/jobs/1" \
  -H "Authorization: Bearer YOUR_TOKEN"
